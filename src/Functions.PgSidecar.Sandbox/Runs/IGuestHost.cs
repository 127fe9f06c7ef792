namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>Levels of the guest's log lines.</summary>
public enum GuestLogLevel
{
    /// <summary><c>console.debug</c>, <c>log.debug</c>.</summary>
    Debug,

    /// <summary><c>console.log</c>, <c>console.info</c>, <c>log.info</c>.</summary>
    Info,

    /// <summary><c>console.warn</c>, <c>log.warn</c>.</summary>
    Warn,

    /// <summary><c>console.error</c>, <c>log.error</c>, and unhandled rejections.</summary>
    Error,
}

/// <summary>
/// Everything that one run can do outside of its sandbox. Every member is called on a sandbox thread, between two instructions of the
/// guest. It must return at once and never wait.
/// </summary>
public interface IGuestHost
{
    /// <summary>
    /// Starts an asynchronous operation. The host must end it exactly once, from any thread, with
    /// <see cref="GuestOperation.Succeed"/> or one of the <c>Fail</c> methods.
    /// It must fail an operation that it does not know.
    /// </summary>
    void Start(GuestOperation operation);

    /// <summary>A log line of the guest.</summary>
    void Log(GuestLogLevel level, string message);

    /// <summary>Takes the guest's answer; called at most once per run. Work given to <c>waitUntil</c> continues afterwards.</summary>
    /// <param name="head">JSON: status and headers for HTTP, empty for other events.</param>
    /// <param name="body">The body; for events other than HTTP, the JSON of the handler's result. The host owns this memory.</param>
    /// <param name="bodyFollows">The body follows in operations <c>response.write</c> and ends with <c>response.end</c>.</param>
    void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows);
}
