using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Postgres.Replication;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Back-pressure: when too much waits in the inbox, the WAL is not read on; it is the server that keeps it then.</summary>
internal sealed class InboxRoom(ReplicationStore store, EventsOptions options, TimeProvider time, ILogger<InboxRoom> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private long measuredAt;

    /// <summary>Why reading has stopped; null: it goes on.</summary>
    public string? Full { get; private set; }

    /// <summary>Completes when there is room. Asks now and then only: the limit may be passed by what comes within two seconds.</summary>
    public ValueTask WaitAsync(CancellationToken cancellationToken) =>
        measuredAt != 0 && time.GetElapsedTime(measuredAt) < Interval ? ValueTask.CompletedTask : MeasureAsync(cancellationToken);

    private async ValueTask MeasureAsync(CancellationToken cancellationToken)
    {
        var (events, bytes) = await store.MeasureInboxAsync(cancellationToken).ConfigureAwait(false);
        if (IsOver(events, bytes, 1))
        {
            EventsLog.InboxFull(logger, events, bytes);
            Full = $"The inbox is full: {events} events, about {bytes} bytes, wait.";
            do
            {
                await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
                (events, bytes) = await store.MeasureInboxAsync(cancellationToken).ConfigureAwait(false);
            }
            while (IsOver(events, bytes, 0.9));
            Full = null;
            EventsLog.InboxHasRoom(logger, events);
        }
        measuredAt = time.GetTimestamp();
    }

    private bool IsOver(long events, long bytes, double share) => events >= options.InboxMaxEvents * share || bytes >= options.InboxMaxBytes * share;
}
