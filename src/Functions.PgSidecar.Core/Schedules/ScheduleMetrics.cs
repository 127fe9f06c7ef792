using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>Counts the runs of schedules that this sidecar has recorded.</summary>
internal sealed class ScheduleMetrics(Meter meter) : IMetricsSource
{
    private static readonly InstrumentAdvice<double> Buckets = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60, 3600],
    };

    private readonly Counter<long> fired = meter.CreateCounter<long>(
        "functions_schedule_runs_fired_total",
        null,
        "Runs of schedules that this sidecar fired."
    );
    private readonly Counter<long> skipped = meter.CreateCounter<long>(
        "functions_schedule_runs_skipped_total",
        null,
        "Runs that were skipped because earlier ones had not ended."
    );
    private readonly Counter<long> missed = meter.CreateCounter<long>(
        "functions_schedule_runs_missed_total",
        null,
        "Times at which no sidecar fired a schedule, and that were not caught up."
    );
    private readonly Counter<long> cancelled = meter.CreateCounter<long>(
        "functions_schedule_runs_cancelled_total",
        null,
        "Runs that the next run cancelled."
    );
    private readonly Histogram<double> lateness = meter.CreateHistogram(
        "functions_schedule_lateness_seconds",
        "s",
        "How late due schedules were found, by the server's clock.",
        advice: Buckets
    );

    /// <summary>Schedules whose last run failed, at the last measurement.</summary>
    public long Failing { get; set; }

    /// <summary>Counts the runs of a tick.</summary>
    public void Record(TickResult result, IEnumerable<TimeSpan> delays)
    {
        fired.Add(result.Fired);
        skipped.Add(result.Skipped);
        missed.Add(result.Missed);
        cancelled.Add(result.Cancelled);
        foreach (var delay in delays)
            lateness.Record(delay.TotalSeconds);
    }

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        foreach (var counter in new[] { fired, skipped, missed, cancelled })
            counter.Add(0);
        meter.CreateObservableGauge("functions_schedules_failing", () => Failing, null, "Schedules whose last run failed.");
    }
}
