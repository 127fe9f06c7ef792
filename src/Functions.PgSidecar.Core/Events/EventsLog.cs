using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>The sidecar's own log of replication and deliveries, event ids 3000 to 3999.</summary>
internal static partial class EventsLog
{
    [LoggerMessage(3001, LogLevel.Information, "This sidecar now reads the WAL (slot {Slot}, epoch {Epoch})")]
    public static partial void Leading(ILogger logger, string slot, long epoch);

    [LoggerMessage(3002, LogLevel.Information, "Another sidecar reads the WAL; this one is on standby")]
    public static partial void Following(ILogger logger);

    [LoggerMessage(3003, LogLevel.Warning, "Stopped reading the WAL; retrying in {Pause}: {Reason}")]
    public static partial void FeedEnded(ILogger logger, TimeSpan pause, string reason);

    [LoggerMessage(3004, LogLevel.Error, "Incident {Kind}: {Message}")]
    public static partial void Incident(ILogger logger, string kind, string message);

    [LoggerMessage(
        3005,
        LogLevel.Warning,
        "The sidecar that reads the WAL has sent no heartbeat for {Timeout}; terminating its connection (backend {Pid})"
    )]
    public static partial void TakingOver(ILogger logger, TimeSpan timeout, int pid);

    [LoggerMessage(
        3006,
        LogLevel.Warning,
        "The inbox is full ({Events} events, about {Bytes} bytes are waiting); pausing the WAL reader until it drains "
            + "(PGFN_INBOX_MAX_EVENTS, PGFN_INBOX_MAX_SIZE)"
    )]
    public static partial void InboxFull(ILogger logger, long events, long bytes);

    [LoggerMessage(3007, LogLevel.Information, "The inbox has drained ({Events} events are waiting); resuming the WAL reader")]
    public static partial void InboxDrained(ILogger logger, long events);

    [LoggerMessage(3008, LogLevel.Information, "No triggers exist; dropped the replication slot so that it retains no WAL")]
    public static partial void SlotDropped(ILogger logger);

    [LoggerMessage(3022, LogLevel.Information, "Created the replication slot {Slot}; any transaction can now create the first trigger")]
    public static partial void SlotMade(ILogger logger, string slot);

    [LoggerMessage(
        3023,
        LogLevel.Information,
        "Could not create the replication slot {Slot}, which the first trigger needs; retrying every 5 s: {Reason}"
    )]
    public static partial void SlotNotMade(ILogger logger, string slot, string reason);

    [LoggerMessage(
        3009,
        LogLevel.Information,
        "Stopped reading the WAL: another sidecar took over, the server closed the connection, or no trigger is left"
    )]
    public static partial void StoppedReading(ILogger logger);

    [LoggerMessage(3010, LogLevel.Warning, "Could not claim events; retrying: {Reason}")]
    public static partial void ClaimFailed(ILogger logger, string reason);

    [LoggerMessage(3011, LogLevel.Warning, "Could not record {Count} delivery outcomes; retrying in {Pause}: {Reason}")]
    public static partial void CompletionFailed(ILogger logger, int count, TimeSpan pause, string reason);

    [LoggerMessage(
        3012,
        LogLevel.Error,
        "Could not record {Count} delivery outcomes before the shutdown; these events will be delivered again"
    )]
    public static partial void CompletionLost(ILogger logger, int count);

    [LoggerMessage(3013, LogLevel.Error, "Could not deliver event {EventId} of function '{Function}'")]
    public static partial void DeliveryFailed(ILogger logger, Exception exception, string function, Guid eventId);

    [LoggerMessage(3021, LogLevel.Warning, "Postponed the events of function '{Function}' until the database can be reached: {Reason}")]
    public static partial void DeliveryPostponed(ILogger logger, string function, string reason);

    [LoggerMessage(3014, LogLevel.Information, "Released {Count} deliveries of sidecars that no longer run")]
    public static partial void OrphansReleased(ILogger logger, int count);

    [LoggerMessage(3018, LogLevel.Information, "Released {Count} deliveries whose claims were lost with a connection")]
    public static partial void LostReleased(ILogger logger, int count);

    [LoggerMessage(
        3019,
        LogLevel.Error,
        "Removed {Count} deliveries because their events no longer exist in functions_private.events (first event: {EventId})"
    )]
    public static partial void EventsGone(ILogger logger, int count, Guid eventId);

    [LoggerMessage(3015, LogLevel.Warning, "Event maintenance failed; retrying: {Reason}")]
    public static partial void MaintenanceFailed(ILogger logger, string reason);

    [LoggerMessage(
        3020,
        LogLevel.Warning,
        "Could not capture the writers of {Table}, whose rows fire functions; retrying every 5 s: {Reason}"
    )]
    public static partial void CaptureFailed(ILogger logger, string table, string reason);

    [LoggerMessage(
        3030,
        LogLevel.Warning,
        "The replica identity of {Table} was changed to {Identity}, but its triggers need whole old rows; set it back to FULL"
    )]
    public static partial void IdentityMended(ILogger logger, string table, string identity);

    [LoggerMessage(3031, LogLevel.Information, "Adjusted how updates and deletes of {Table} are published (replica identity: {Identity})")]
    public static partial void TableSettled(ILogger logger, string table, string identity);

    [LoggerMessage(
        3032,
        LogLevel.Error,
        "Could not adjust the replica identity or the publication of {Table}, so its updates and deletes may fail or not fire "
            + "functions; retrying every second: {Reason}"
    )]
    public static partial void SettlingFailed(ILogger logger, string table, string reason);

    [LoggerMessage(
        3033,
        LogLevel.Warning,
        "Writers of {Table} through {Through} are not captured: the trigger functions_capture_context on {Through} is disabled or"
            + " missing. Until it is enabled, functions run for these changes as anon, or as the role that their trigger sets. To "
            + "enable it: alter table {Through} enable trigger functions_capture_context;"
    )]
    public static partial void CaptureOff(ILogger logger, string table, string through);

    [LoggerMessage(3034, LogLevel.Information, "Writers of {Table} through {Through} are captured again")]
    public static partial void CaptureOn(ILogger logger, string table, string through);

    [LoggerMessage(3035, LogLevel.Warning, "Trigger '{Trigger}': {Problem}")]
    public static partial void TriggerBroken(ILogger logger, string trigger, string problem);

    [LoggerMessage(
        3036,
        LogLevel.Warning,
        "Trigger '{Trigger}' follows its table's name and now fires for the new {Table}. Earlier writes to that table have not "
            + "fired it; to deliver them: select functions.backfill('{Trigger}');"
    )]
    public static partial void TriggerFollowed(ILogger logger, string trigger, string table);

    [LoggerMessage(
        3037,
        LogLevel.Error,
        "Could not bind trigger '{Trigger}' to the table that now has its table's name; retrying every second: {Reason}"
    )]
    public static partial void FollowingFailed(ILogger logger, string trigger, string reason);

    [LoggerMessage(3016, LogLevel.Information, "Backfill {Id} of trigger '{Trigger}' stored {Rows} rows")]
    public static partial void BackfillDone(ILogger logger, long id, string trigger, long rows);

    [LoggerMessage(3017, LogLevel.Error, "Backfill {Id} failed: {Reason}")]
    public static partial void BackfillFailed(ILogger logger, long id, string reason);
}
