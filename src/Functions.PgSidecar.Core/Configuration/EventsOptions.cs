namespace Functions.PgSidecar.Core.Configuration;

/// <summary>How events are taken from the WAL and delivered.</summary>
internal sealed record EventsOptions
{
    /// <summary><c>PGFN_INBOX_MAX_EVENTS</c>: when so many events wait, the WAL is not read on until fewer do. Default: 1,000,000.</summary>
    public int InboxMaxEvents { get; init; } = 1_000_000;

    /// <summary><c>PGFN_INBOX_MAX_SIZE</c>: the same for what waiting events take, about, in bytes. Default: 4 GB.</summary>
    public long InboxMaxBytes { get; init; } = 4L << 30;

    /// <summary><c>PGFN_MAX_EVENT_SIZE</c>: the largest event that is delivered, in bytes; a larger one becomes a dead letter. Default: 10 MB.</summary>
    public int MaxEventBytes { get; init; } = 10 << 20;

    /// <summary><c>PGFN_MAX_TRIGGER_DEPTH</c>: how many functions may fire each other in a row. Default: 16.</summary>
    public int MaxDepth { get; init; } = 16;

    /// <summary><c>PGFN_ON_RESTORE</c>: what becomes of events that waited when the database was copied from another one: hold, deliver, discard. Default: hold.</summary>
    public string OnRestore { get; init; } = "hold";
}
