using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>The sidecar's own log of replication and deliveries, event ids 3000 to 3999.</summary>
internal static partial class EventsLog
{
    [LoggerMessage(3001, LogLevel.Information, "This sidecar reads the WAL now (slot {Slot}, epoch {Epoch})")]
    public static partial void Leading(ILogger logger, string slot, long epoch);

    [LoggerMessage(3002, LogLevel.Information, "Another sidecar reads the WAL; this one stands by")]
    public static partial void Following(ILogger logger);

    [LoggerMessage(3003, LogLevel.Warning, "Reading the WAL ended, trying again in {Pause}: {Reason}")]
    public static partial void FeedEnded(ILogger logger, TimeSpan pause, string reason);

    [LoggerMessage(3004, LogLevel.Error, "Incident {Kind}: {Message}")]
    public static partial void Incident(ILogger logger, string kind, string message);

    [LoggerMessage(3005, LogLevel.Warning, "The reader of the WAL has been silent for {Patience}; its connection (backend {Pid}) is ended")]
    public static partial void TakingOver(ILogger logger, TimeSpan patience, int pid);

    [LoggerMessage(3006, LogLevel.Warning, "The inbox is full ({Events} events, about {Bytes} bytes wait): the WAL is not read on until fewer do (PGFN_INBOX_MAX_EVENTS, PGFN_INBOX_MAX_SIZE)")]
    public static partial void InboxFull(ILogger logger, long events, long bytes);

    [LoggerMessage(3007, LogLevel.Information, "The inbox has room again ({Events} events wait)")]
    public static partial void InboxHasRoom(ILogger logger, long events);

    [LoggerMessage(3008, LogLevel.Information, "No trigger is left: the replication slot was dropped")]
    public static partial void SlotDropped(ILogger logger);

    [LoggerMessage(3009, LogLevel.Information, "This sidecar stopped reading the WAL: another one reads it, the server ended the connection, or no trigger is left")]
    public static partial void StoppedReading(ILogger logger);

    [LoggerMessage(3010, LogLevel.Warning, "Events can't be claimed, trying again: {Reason}")]
    public static partial void ClaimFailed(ILogger logger, string reason);

    [LoggerMessage(3011, LogLevel.Warning, "What became of {Count} events can't be recorded, trying again in {Pause}: {Reason}")]
    public static partial void CompletionFailed(ILogger logger, int count, TimeSpan pause, string reason);

    [LoggerMessage(3012, LogLevel.Error, "What became of {Count} events could not be recorded before the end: they will be delivered again")]
    public static partial void CompletionLost(ILogger logger, int count);

    [LoggerMessage(3013, LogLevel.Error, "Event {EventId} of function '{Function}' could not be delivered")]
    public static partial void DeliveryFailed(ILogger logger, Exception exception, string function, Guid eventId);

    [LoggerMessage(3021, LogLevel.Warning, "Events of function '{Function}' wait until the database can be reached: {Reason}")]
    public static partial void DeliveryPostponed(ILogger logger, string function, string reason);

    [LoggerMessage(3014, LogLevel.Information, "{Count} events of sidecars that are gone were given back")]
    public static partial void OrphansReleased(ILogger logger, int count);

    [LoggerMessage(3018, LogLevel.Information, "{Count} events whose claims went astray with a connection were given back")]
    public static partial void LostReleased(ILogger logger, int count);

    [LoggerMessage(3019, LogLevel.Error, "{Count} deliveries were removed: their events (the first: {EventId}) are gone from functions_private.events")]
    public static partial void EventsGone(ILogger logger, int count, Guid eventId);

    [LoggerMessage(3015, LogLevel.Warning, "The upkeep of events failed, trying again: {Reason}")]
    public static partial void UpkeepFailed(ILogger logger, string reason);

    [LoggerMessage(3020, LogLevel.Warning, "Who writes to {Table}, whose rows fire functions, can't be captured there, trying again every 5 s: {Reason}")]
    public static partial void CaptureFailed(ILogger logger, string table, string reason);

    [LoggerMessage(3030, LogLevel.Warning, "The replica identity of {Table}, whose changes fire functions with whole old rows, was changed (it had become: {Identity}); it is FULL again")]
    public static partial void IdentityMended(ILogger logger, string table, string identity);

    [LoggerMessage(3031, LogLevel.Information, "Updates and deletes of {Table} get into the WAL as its definition asks for now (replica identity: {Identity})")]
    public static partial void TableSettled(ILogger logger, string table, string identity);

    [LoggerMessage(3032, LogLevel.Error, "Updates and deletes of {Table} may fail, or not fire functions: its replica identity or its place in the publication can't be adjusted; trying again every second: {Reason}")]
    public static partial void SettlingFailed(ILogger logger, string table, string reason);

    [LoggerMessage(3033, LogLevel.Warning, "Who writes to {Table} by way of {ByWayOf} is not captured: the trigger functions_capture_context on {ByWayOf} is disabled or missing. Until it is on again, functions run as anon for these changes, or as the role that their trigger fixes. alter table {ByWayOf} enable trigger functions_capture_context;")]
    public static partial void CaptureOff(ILogger logger, string table, string byWayOf);

    [LoggerMessage(3034, LogLevel.Information, "Who writes to {Table} by way of {ByWayOf} is captured again")]
    public static partial void CaptureOn(ILogger logger, string table, string byWayOf);

    [LoggerMessage(3035, LogLevel.Warning, "Trigger '{Trigger}': {Problem}")]
    public static partial void TriggerBroken(ILogger logger, string trigger, string problem);

    [LoggerMessage(3036, LogLevel.Warning, "Trigger '{Trigger}' follows its table's name and fires for the new {Table} from now on. What was written to that table before has not fired it: select functions.backfill('{Trigger}');")]
    public static partial void TriggerFollowed(ILogger logger, string trigger, string table);

    [LoggerMessage(3037, LogLevel.Error, "Trigger '{Trigger}' can't be bound to the table that has the name now; trying again every second: {Reason}")]
    public static partial void FollowingFailed(ILogger logger, string trigger, string reason);

    [LoggerMessage(3016, LogLevel.Information, "Backfill {Id} of trigger '{Trigger}': {Rows} rows")]
    public static partial void BackfillDone(ILogger logger, long id, string trigger, long rows);

    [LoggerMessage(3017, LogLevel.Error, "Backfill {Id} failed: {Reason}")]
    public static partial void BackfillFailed(ILogger logger, long id, string reason);
}
