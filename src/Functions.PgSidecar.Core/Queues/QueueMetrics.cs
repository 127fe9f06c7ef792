using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>Counts what became of messages, for the metrics and for <c>functions.queues</c>.</summary>
internal sealed class QueueMetrics(Meter meter, TimeProvider time) : IMetricsSource
{
    private readonly Counter<long> sent = meter.CreateCounter<long>(
        "functions_queue_messages_sent_total",
        null,
        "Messages that functions sent to queues through this sidecar."
    );
    private readonly Counter<long> delivered = meter.CreateCounter<long>(
        "functions_queue_messages_delivered_total",
        null,
        "Messages of queues that were delivered to functions and acknowledged."
    );
    private readonly Counter<long> retried = meter.CreateCounter<long>(
        "functions_queue_messages_retried_total",
        null,
        "Messages of queues that are delivered again."
    );
    private readonly Counter<long> dead = meter.CreateCounter<long>(
        "functions_queue_messages_dead_total",
        null,
        "Messages of queues that failed too often."
    );

    /// <summary>What is to be recorded in the database.</summary>
    public QueueCounts Counts { get; } = new();

    /// <summary>What waits in the queues that functions consume, at the last measurement.</summary>
    public IReadOnlyDictionary<string, QueueBacklog> Backlogs { get; set; } = new Dictionary<string, QueueBacklog>();

    /// <summary>Counts messages that were sent.</summary>
    public void CountSent(long messages) => sent.Add(messages);

    /// <summary>Counts the messages of a batch that has ended.</summary>
    public void Count(string queue, QueueRecord record)
    {
        delivered.Add(record.Acknowledged);
        retried.Add(record.Retried);
        dead.Add(record.Dead);
        Counts.Add(queue, record);
    }

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        foreach (var counter in new[] { sent, delivered, retried, dead })
            counter.Add(0);
        meter.CreateObservableGauge(
            "functions_queue_depth",
            () => Backlogs.Select(one => new Measurement<long>(one.Value.Count, Tag(one.Key))),
            null,
            "Messages in queues that functions consume."
        );
        meter.CreateObservableGauge(
            "functions_queue_oldest_seconds",
            () =>
                Backlogs.Select(one => new Measurement<double>(
                    one.Value.Oldest is { } oldest
                        ? Math.Max(0, (time.GetUtcNow().UtcDateTime - oldest.ToUniversalTime()).TotalSeconds)
                        : 0,
                    Tag(one.Key)
                )),
            "s",
            "Age of the oldest message in queues that functions consume."
        );
    }

    private static KeyValuePair<string, object?> Tag(string queue) => new("queue", queue);
}
