using Functions.PgSidecar.Core.Bindings.Bodies;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>What the source of an invocation learns of it.</summary>
/// <param name="Outcome">How it went so far: <see cref="InvocationOutcome.Succeeded"/> means that there is an answer.</param>
/// <param name="Head">The answer's head, JSON with status and headers; empty where there is none.</param>
/// <param name="Body">The answer's body.</param>
/// <param name="Code">A stable code of the failure: FUNCTION_ERROR, TIMEOUT, ...</param>
/// <param name="Message">What happened, secrets redacted.</param>
internal sealed record InvocationResult(
    InvocationOutcome Outcome,
    ReadOnlyMemory<byte> Head,
    ReadOnlyMemory<byte> Body,
    string? Code = null,
    string? Message = null)
{
    /// <summary>The HTTP status of a failure.</summary>
    public int Status { get; init; } = 500;

    /// <summary>The body where it is still being written, in place of <see cref="Body"/>; whoever gets it sends or abandons it.</summary>
    public ResponseStream? Stream { get; init; }

    /// <summary>Whether every further invocation would fail like this one for now: the database is away.</summary>
    public bool IsDatabaseAway { get; init; }

    /// <summary>Seconds after which another attempt makes sense.</summary>
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

    /// <summary>All invocations together have as much memory as the sidecar allows: 503.</summary>
    MemoryExhausted,

    /// <summary>The sidecar is shutting down: 503.</summary>
    ShuttingDown,
}
