namespace Functions.PgSidecar.Core.Events;

/// <summary>The notification channel of events. Its payload says which kind of work has arrived, or what has changed.</summary>
internal static class EventChannel
{
    /// <summary>The channel.</summary>
    public const string Name = "functions_events";

    /// <summary>Triggers were created, changed or dropped, or an incident was closed.</summary>
    public const string Triggers = "triggers";

    /// <summary>Backfills were requested, or the conditions of dead letters are to be evaluated again.</summary>
    public const string Backfills = "backfills";
}
