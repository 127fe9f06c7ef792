using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Backpressure: when too much waits in the inbox, the WAL reader pauses, and the server keeps the WAL.</summary>
internal sealed class InboxCapacity(ReplicationStore store, EventsOptions options, TimeProvider time, ILogger<InboxCapacity> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private long measuredAt;

    /// <summary>Why reading is paused; null if it is not.</summary>
    public string? Full { get; private set; }

    /// <summary>
    /// Completes when the inbox has capacity. Measures at intervals, so the limit may be exceeded by what arrives within two seconds.
    /// </summary>
    public ValueTask WaitAsync(CancellationToken cancellationToken) =>
        measuredAt != 0 && time.GetElapsedTime(measuredAt) < Interval ? ValueTask.CompletedTask : MeasureAsync(cancellationToken);

    private async ValueTask MeasureAsync(CancellationToken cancellationToken)
    {
        var (events, bytes) = await store.MeasureInboxAsync(cancellationToken).ConfigureAwait(false);
        if (IsOver(events, bytes, 1))
        {
            EventsLog.InboxFull(logger, events, bytes);
            Full = $"The inbox is full: {events} events, about {bytes} bytes, are waiting.";
            do
            {
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
                (events, bytes) = await store.MeasureInboxAsync(cancellationToken).ConfigureAwait(false);
            } while (IsOver(events, bytes, 0.9));
            Full = null;
            EventsLog.InboxDrained(logger, events);
        }
        measuredAt = time.GetTimestamp();
    }

    private bool IsOver(long events, long bytes, double share) =>
        events >= options.InboxMaxEvents * share || bytes >= options.InboxMaxBytes * share;
}
