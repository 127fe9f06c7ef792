using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The sidecar's own log of invocations, event ids 2000 to 2999.</summary>
internal static partial class InvocationsLog
{
    [LoggerMessage(2001, LogLevel.Error, "Could not clean up after invocation {Id} of function '{Function}'")]
    public static partial void FinishFailed(ILogger logger, Exception exception, string function, Guid id);

    [LoggerMessage(2002, LogLevel.Warning, "Could not write the invocation log; retrying in {Delay}: {Reason}")]
    public static partial void LogWriteFailed(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(
        2003,
        LogLevel.Warning,
        "Dropped {Lines} log lines and {Records} invocation records because the log could not be written fast enough"
    )]
    public static partial void LogDropped(ILogger logger, long lines, long records);

    [LoggerMessage(2004, LogLevel.Information, "Waiting for {Count} invocations to finish")]
    public static partial void Draining(ILogger logger, int count);

    [LoggerMessage(2005, LogLevel.Warning, "{Count} invocations did not finish within {GracePeriod}; aborting them")]
    public static partial void DrainTimedOut(ILogger logger, int count, TimeSpan gracePeriod);

    [LoggerMessage(
        2008,
        LogLevel.Error,
        "Lost {Lines} log lines and {Records} invocation records: the database could not be reached before the shutdown"
    )]
    public static partial void LogLost(ILogger logger, int lines, int records);

    [LoggerMessage(2007, LogLevel.Error, "The sidecar failed during invocation {Id} of function '{Function}': {Type}: {Message}")]
    public static partial void HostFailed(ILogger logger, string function, Guid id, string type, string message);

    [LoggerMessage(2009, LogLevel.Error, "The sidecar failed during {Operation} of invocation {Id} of function '{Function}'")]
    public static partial void OperationFailed(ILogger logger, Exception exception, string operation, Guid? id, string? function);

    [LoggerMessage(2006, LogLevel.Error, "Could not maintain the partitions of the invocation log")]
    public static partial void PartitionsFailed(ILogger logger, Exception exception);
}
