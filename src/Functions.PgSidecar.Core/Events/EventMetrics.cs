using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.RowChanges.Reading;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Counts deliveries, and holds the inbox and WAL figures of the last measurement.</summary>
internal sealed class EventMetrics(Meter meter) : IMetricsSource
{
    private readonly Counter<long> delivered = meter.CreateCounter<long>(
        "functions_events_delivered_total",
        null,
        "Events that were delivered by this sidecar."
    );
    private readonly Counter<long> retried = meter.CreateCounter<long>(
        "functions_events_retried_total",
        null,
        "Deliveries that failed and are retried."
    );
    private readonly Counter<long> dead = meter.CreateCounter<long>(
        "functions_events_dead_total",
        null,
        "Events that this sidecar made dead letters of."
    );

    /// <summary>Whether this sidecar reads the WAL.</summary>
    public bool Leads { get; set; }

    /// <summary>Why no sidecar reads the WAL, though one should; null if one does.</summary>
    public string? Incident { get; set; }

    /// <summary>The number of triggers that can't work, at the last check (<c>functions.check_triggers()</c>).</summary>
    public long BrokenTriggers { get; set; }

    /// <summary>The figures of the last measurement.</summary>
    public ReplicationFigures Figures { get; set; }

    /// <summary>Counts an event that was delivered.</summary>
    public void CountDelivered() => delivered.Add(1);

    /// <summary>Counts a failed attempt that is followed by another.</summary>
    public void CountRetried() => retried.Add(1);

    /// <summary>Counts an event that became a dead letter.</summary>
    public void CountDead() => dead.Add(1);

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        // Registered with 0 from the start, so that the first event shows as an increase.
        foreach (var counter in new[] { delivered, retried, dead })
            counter.Add(0);
        meter.CreateObservableGauge("functions_replication_leader", () => Leads ? 1L : 0L, null, "1 where this sidecar reads the WAL.");
        meter.CreateObservableGauge(
            "functions_events_pending",
            () => Figures.Pending,
            null,
            "Events that wait in the inbox, at the last measurement."
        );
        meter.CreateObservableGauge(
            "functions_events_oldest_seconds",
            () => (long)Figures.OldestSeconds,
            "s",
            "Age of the oldest event that is not delivered."
        );
        meter.CreateObservableGauge(
            "functions_events_held",
            () => Figures.Held,
            null,
            "Events that waited in the database that this one was copied from (functions.adopt)."
        );
        meter.CreateObservableGauge(
            "functions_dead_letters",
            () => Figures.DeadLetters,
            null,
            "Dead letters that have not been redriven or discarded."
        );
        meter.CreateObservableGauge(
            "functions_replication_lag_bytes",
            () => Figures.LagBytes,
            "By",
            "WAL that was written and is not acknowledged."
        );
        meter.CreateObservableGauge("functions_replication_incidents", () => Figures.OpenIncidents, null, "Incidents that are open.");
        meter.CreateObservableGauge(
            "functions_triggers_broken",
            () => BrokenTriggers,
            null,
            "Triggers that can't work, at the last check (functions.check_triggers)."
        );
    }
}
