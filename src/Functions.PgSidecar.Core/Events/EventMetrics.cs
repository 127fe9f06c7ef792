using Functions.PgSidecar.Postgres.Replication;

namespace Functions.PgSidecar.Core.Events;

/// <summary>What is counted of events.</summary>
internal sealed class EventMetrics
{
    private long delivered;
    private long retried;
    private long dead;

    /// <summary>Events that were delivered.</summary>
    public long Delivered => Interlocked.Read(ref delivered);

    /// <summary>Attempts that failed and are followed by another.</summary>
    public long Retried => Interlocked.Read(ref retried);

    /// <summary>Events that became dead letters here.</summary>
    public long Dead => Interlocked.Read(ref dead);

    /// <summary>Whether this sidecar reads the WAL.</summary>
    public bool Leads { get; set; }

    /// <summary>Why the WAL is not read, though it should be; null: it is, by some sidecar.</summary>
    public string? Incident { get; set; }

    /// <summary>The figures of the last time they were asked for.</summary>
    public ReplicationFigures Figures { get; set; }

    public void CountDelivered() => Interlocked.Increment(ref delivered);

    public void CountRetried() => Interlocked.Increment(ref retried);

    public void CountDead() => Interlocked.Increment(ref dead);
}
