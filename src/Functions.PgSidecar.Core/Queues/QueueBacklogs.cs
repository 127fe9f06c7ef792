using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// What waits in queues, as it was at most some seconds ago: counting messages takes longer than sending one. Reading is done when a figure
/// is asked for and an old one is no longer good enough.
/// </summary>
internal sealed class QueueBacklogs(QueueStore store, TimeProvider time)
{
    private const int MaxKnown = 10_000;

    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, (QueueBacklog Backlog, long Since)> known = new(StringComparer.Ordinal);

    /// <summary>The last figures, however old; null if there are none.</summary>
    public QueueBacklog? Known(string queue) => known.TryGetValue(queue, out var entry) ? entry.Backlog : null;

    /// <summary>Figures of the last seconds, for a caller whose right to them was checked; null if there is no such queue.</summary>
    public async ValueTask<QueueBacklog?> FindAsync(string queue, CancellationToken cancellationToken)
    {
        if (known.TryGetValue(queue, out var entry) && time.GetElapsedTime(entry.Since) <= GoodFor)
            return entry.Backlog;
        return await MeasureAsync(queue, role: null, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The present figures; null if there is no such queue, or the role may neither send to it nor read it.</summary>
    public async Task<QueueBacklog?> MeasureAsync(string queue, string? role, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        var backlog = await store.BacklogAsync(queue, role, cancellationToken).ConfigureAwait(false);
        if (backlog is null)
            return null;
        if (known.Count >= MaxKnown)
            known.Clear();
        known[queue] = (backlog, since);
        return backlog;
    }
}
