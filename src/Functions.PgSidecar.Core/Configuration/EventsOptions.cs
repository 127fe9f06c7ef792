namespace Functions.PgSidecar.Core.Configuration;

/// <summary>How events are read from the WAL and delivered.</summary>
internal sealed record EventsOptions
{
    /// <summary><c>PGFN_INBOX_MAX_EVENTS</c>: the number of waiting events at which the WAL reader pauses. Default: 1,000,000.</summary>
    public int InboxMaxEvents { get; init; } = 1_000_000;

    /// <summary>
    /// <c>PGFN_INBOX_MAX_SIZE</c>: the approximate size of waiting events, in bytes, at which the WAL reader pauses. Default: 4 GB.
    /// </summary>
    public long InboxMaxBytes { get; init; } = 4L << 30;

    /// <summary>
    /// <c>PGFN_MAX_EVENT_SIZE</c>: the largest event that is delivered, in bytes; a larger one becomes a dead letter. Default: 10 MB.
    /// </summary>
    public int MaxEventBytes { get; init; } = 10 << 20;

    /// <summary><c>PGFN_MAX_TRIGGER_DEPTH</c>: how many functions may fire each other in a row. Default: 16.</summary>
    public int MaxDepth { get; init; } = 16;

    /// <summary>
    /// <c>PGFN_ON_RESTORE</c>: what happens to events that were waiting when the database was copied from another one: hold, deliver or
    /// discard. Default: hold.
    /// </summary>
    public string OnRestore { get; init; } = "hold";

    /// <summary>
    /// <c>PGFN_KEEP_SLOT</c>: whether the replication slot exists while a sidecar runs, even without triggers. If off, it is created with
    /// the first trigger and dropped after the last. Default: on.
    /// </summary>
    public bool KeepSlot { get; init; } = true;
}
