namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Levels of the guest's log lines.</summary>
public enum GuestLogLevel
{
    /// <summary><c>console.debug</c>, <c>log.debug</c>.</summary>
    Debug,

    /// <summary><c>console.log</c>, <c>console.info</c>, <c>log.info</c>.</summary>
    Info,

    /// <summary><c>console.warn</c>, <c>log.warn</c>.</summary>
    Warn,

    /// <summary><c>console.error</c>, <c>log.error</c>, and rejections nobody handled.</summary>
    Error,
}

/// <summary>
/// What one run can do to the outside. Every member is called on a sandbox thread, between two instructions of the guest:
/// it must return at once and leave waiting to somebody else.
/// </summary>
public interface IGuestHost
{
    /// <summary>
    /// Begins an asynchronous operation. The host ends it, from any thread, exactly once, with
    /// <see cref="GuestOperation.Succeed"/> or one of the <c>Fail</c> methods.
    /// An operation the host does not know must be failed.
    /// </summary>
    void Start(GuestOperation operation);

    /// <summary>A log line of the guest.</summary>
    void Log(GuestLogLevel level, string message);

    /// <summary>The guest's answer; at most once a run. Work the guest left to <c>waitUntil</c> goes on afterwards.</summary>
    /// <param name="head">JSON: status and headers for HTTP, empty for other events.</param>
    /// <param name="body">The body; for other events than HTTP the JSON of the handler's result. The memory is the host's to keep.</param>
    void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body);
}
