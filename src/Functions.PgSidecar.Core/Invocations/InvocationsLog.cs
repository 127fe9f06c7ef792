using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The sidecar's own log of invocations, event ids 2000 to 2999.</summary>
internal static partial class InvocationsLog
{
    [LoggerMessage(2001, LogLevel.Error, "Invocation {Id} of function '{Function}' could not be finished properly")]
    public static partial void FinishFailed(ILogger logger, Exception exception, string function, Guid id);

    [LoggerMessage(2002, LogLevel.Warning, "The invocation log can't be written, trying again in {Delay}: {Reason}")]
    public static partial void LogWriteFailed(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(2003, LogLevel.Warning, "{Lines} log lines and {Records} invocation records were dropped: the log can't be written fast enough")]
    public static partial void LogDropped(ILogger logger, long lines, long records);

    [LoggerMessage(2004, LogLevel.Information, "Waiting for {Count} invocations to finish")]
    public static partial void Draining(ILogger logger, int count);

    [LoggerMessage(2005, LogLevel.Warning, "{Count} invocations did not finish within {Patience} and are given up")]
    public static partial void DrainTimedOut(ILogger logger, int count, TimeSpan patience);

    [LoggerMessage(2008, LogLevel.Error, "{Lines} log lines and {Records} invocation records are lost: the database could not be reached before the end")]
    public static partial void LogLost(ILogger logger, int lines, int records);

    [LoggerMessage(2007, LogLevel.Error, "The sidecar failed while it served invocation {Id} of function '{Function}': {Type}: {Message}")]
    public static partial void HostFailed(ILogger logger, string function, Guid id, string type, string message);

    [LoggerMessage(2006, LogLevel.Error, "The log's partitions could not be maintained")]
    public static partial void PartitionsFailed(ILogger logger, Exception exception);
}
