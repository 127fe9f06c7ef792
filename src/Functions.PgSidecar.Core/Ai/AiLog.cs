using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>The sidecar's own log of the gateway to models, event ids 6500 to 6599.</summary>
internal static partial class AiLog
{
    [LoggerMessage(6500, LogLevel.Warning, "Could not write the log of calls to models; retrying in {Delay}: {Reason}")]
    public static partial void WriteFailed(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(6501, LogLevel.Warning, "Dropped the records of {Count} calls to models because they could not be written fast enough")]
    public static partial void RecordsDropped(ILogger logger, long count);

    [LoggerMessage(
        6502,
        LogLevel.Error,
        "Lost the records of {Count} calls to models: the database could not be reached before the shutdown"
    )]
    public static partial void RecordsLost(ILogger logger, int count);

    [LoggerMessage(6503, LogLevel.Warning, "Could not remove expired answers of models; trying again in {Delay}: {Reason}")]
    public static partial void MaintenanceFailed(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(6504, LogLevel.Error, "Could not count {Tokens} tokens of call {Id} against its limits: {Reason}")]
    public static partial void CountFailed(ILogger logger, Guid id, long tokens, string reason);

    [LoggerMessage(6505, LogLevel.Warning, "Could not use the cache of answers for call {Id}; the provider is asked: {Reason}")]
    public static partial void CacheFailed(ILogger logger, Guid id, string reason);
}
