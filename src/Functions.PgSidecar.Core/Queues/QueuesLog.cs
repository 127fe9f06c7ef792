using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>The sidecar's own log of queues, event ids 7200 to 7299.</summary>
internal static partial class QueuesLog
{
    [LoggerMessage(7200, LogLevel.Warning, "Could not take messages from queue '{Queue}'; retrying in {Pause}: {Reason}")]
    public static partial void ClaimFailed(ILogger logger, string queue, TimeSpan pause, string reason);

    [LoggerMessage(
        7201,
        LogLevel.Error,
        "Could not deliver messages of queue '{Queue}' to function '{Function}'; they are delivered again in 5 s, and the attempt does not count"
    )]
    public static partial void DeliveryFailed(ILogger logger, Exception exception, string queue, string function);

    [LoggerMessage(
        7202,
        LogLevel.Warning,
        "Could not record what became of {Count} messages of queue '{Queue}'; retrying in {Pause}: {Reason}"
    )]
    public static partial void FinishFailed(ILogger logger, int count, string queue, TimeSpan pause, string reason);

    [LoggerMessage(
        7203,
        LogLevel.Warning,
        "Could not record what became of {Count} messages of queue '{Queue}' before their lease ended; they are delivered again: {Reason}"
    )]
    public static partial void OutcomeLost(ILogger logger, int count, string queue, string reason);

    [LoggerMessage(
        7204,
        LogLevel.Warning,
        "The lease of {Count} messages of queue '{Queue}' was lost while their function ran: the queue was dropped, or this process stood "
            + "still for longer than 15 s and others deliver them again"
    )]
    public static partial void LeaseLost(ILogger logger, int count, string queue);

    [LoggerMessage(7205, LogLevel.Warning, "Could not extend the leases of queue '{Queue}'; retrying in {Pause}: {Reason}")]
    public static partial void ExtensionFailed(ILogger logger, string queue, TimeSpan pause, string reason);

    [LoggerMessage(7206, LogLevel.Warning, "Could not look after queues; retrying in {Pause}: {Reason}")]
    public static partial void MaintenanceFailed(ILogger logger, TimeSpan pause, string reason);

    [LoggerMessage(7207, LogLevel.Information, "Released messages of queue '{Queue}' that a sidecar held which is gone")]
    public static partial void Released(ILogger logger, string queue);
}
