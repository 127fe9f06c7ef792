using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>How many messages ended in which way since that was last recorded in the database, by queue.</summary>
internal sealed class QueueCounts
{
    private readonly ConcurrentDictionary<string, QueueRecord> counts = new(StringComparer.Ordinal);

    /// <summary>Adds the messages of a batch that has ended.</summary>
    public void Add(string queue, QueueRecord record) =>
        counts.AddOrUpdate(queue, record, (_, before) =>
            new(before.Acknowledged + record.Acknowledged, before.Retried + record.Retried, before.Dead + record.Dead)
        );

    /// <summary>
    /// Records what was counted. If the database fails, what is not recorded is kept for the next time. If only its answer was lost, the
    /// counts of one queue are recorded twice.
    /// </summary>
    public async Task RecordAsync(QueueStore store, CancellationToken cancellationToken)
    {
        foreach (var queue in counts.Keys)
        {
            if (!counts.TryRemove(queue, out var taken))
                continue;
            try
            {
                await store.CountAsync(queue, taken, cancellationToken).ConfigureAwait(false);
            }
            catch
            {
                Add(queue, taken);
                throw;
            }
        }
    }
}
