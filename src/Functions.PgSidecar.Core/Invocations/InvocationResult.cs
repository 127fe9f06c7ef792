using Functions.PgSidecar.Core.Bindings.Bodies;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The result of an invocation for its source.</summary>
/// <param name="Outcome">The outcome so far: <see cref="InvocationOutcome.Succeeded"/> means that there is a response.</param>
/// <param name="Head">The response's head, JSON with status and headers; empty if there is none.</param>
/// <param name="Body">The response's body.</param>
/// <param name="Code">A stable code of the failure: FUNCTION_ERROR, TIMEOUT, ...</param>
/// <param name="Message">What happened, secrets redacted.</param>
internal sealed record InvocationResult(
    InvocationOutcome Outcome,
    ReadOnlyMemory<byte> Head,
    ReadOnlyMemory<byte> Body,
    string? Code = null,
    string? Message = null
)
{
    /// <summary>The HTTP status of a failure.</summary>
    public int Status { get; init; } = 500;

    /// <summary>The body while it is still being written, instead of <see cref="Body"/>; the receiver must send or abandon it.</summary>
    public ResponseStream? Stream { get; init; }

    /// <summary>Whether every further invocation would fail in the same way for now, because the database is unavailable.</summary>
    public bool IsDatabaseAway { get; init; }

    /// <summary>
    /// Whether this happened during a statement of the function, which may itself be the cause; it is not to be repeated forever.
    /// </summary>
    public bool MayBeItsOwnDoing { get; init; }

    /// <summary>Whether the function asked that it is not tried again (<c>controller.noRetry()</c>).</summary>
    public bool IsFinal { get; init; }

    /// <summary>Of a batch of messages: what the function had decided about them when it failed, JSON; null if nothing is known.</summary>
    public string? Messages { get; init; }

    /// <summary>Seconds after which a retry makes sense.</summary>
    public int? RetryAfter { get; init; }
}

/// <summary>Why an invocation was not admitted.</summary>
internal enum Rejection
{
    /// <summary>It was admitted.</summary>
    None,

    /// <summary>The function's rate limit: 429.</summary>
    RateLimited,

    /// <summary>The function's queue is full: 503.</summary>
    FunctionBusy,

    /// <summary>The sidecar's queue is full: 503.</summary>
    SidecarBusy,

    /// <summary>All invocations together use as much memory as the sidecar allows: 503.</summary>
    MemoryExhausted,

    /// <summary>The sidecar is shutting down: 503.</summary>
    ShuttingDown,
}
