namespace Functions.PgSidecar.Core.Logs;

/// <summary>One invocation, as <c>functions.invocations</c> shows it.</summary>
/// <param name="Id">The invocation's id.</param>
/// <param name="Function">The function's name.</param>
/// <param name="Version">The version that ran; null if none did.</param>
/// <param name="Trigger">What fired it: <c>http</c>, <c>database</c>, <c>schedule</c>, <c>queue</c>, <c>webhook</c>, <c>call</c>.</param>
/// <param name="Status">The outcome in lower snake_case; <c>functions.stats</c> counts all except <c>succeeded</c> as errors.</param>
/// <param name="ErrorCode">The stable code of the failure, or null.</param>
/// <param name="ErrorMessage">The failure's message, or null.</param>
/// <param name="StartedAt">When it was admitted.</param>
/// <param name="Duration">From admission to the result.</param>
/// <param name="Queued">How long it waited for admission.</param>
/// <param name="Cpu">The CPU time of its code.</param>
/// <param name="MemoryPeak">Its peak memory in bytes.</param>
/// <param name="UserId">The claim <c>sub</c> of the caller, or null.</param>
/// <param name="Role">The role its statements ran as.</param>
/// <param name="RequestId">The request's id, or null.</param>
/// <param name="TraceId">The W3C trace id, or null.</param>
public readonly record struct InvocationRecord(
    Guid Id,
    string Function,
    int? Version,
    string Trigger,
    string Status,
    string? ErrorCode,
    string? ErrorMessage,
    DateTimeOffset StartedAt,
    TimeSpan Duration,
    TimeSpan Queued,
    TimeSpan Cpu,
    long MemoryPeak,
    string? UserId,
    string? Role,
    string? RequestId,
    string? TraceId
);

/// <summary>One log line of an invocation.</summary>
/// <param name="InvocationId">The invocation that wrote it.</param>
/// <param name="Function">The function's name.</param>
/// <param name="Sequence">The number of the line in the invocation, from 0.</param>
/// <param name="Level">Exactly <c>debug</c>, <c>info</c>, <c>warn</c> or <c>error</c>.</param>
/// <param name="Source">The writer: <c>function:name</c>.</param>
/// <param name="Message">The line.</param>
/// <param name="LoggedAt">When it was written.</param>
public readonly record struct LogRecord(
    Guid InvocationId,
    string Function,
    int Sequence,
    string Level,
    string Source,
    string Message,
    DateTimeOffset LoggedAt
);
