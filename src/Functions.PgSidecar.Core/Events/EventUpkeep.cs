using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Registry;
using Functions.PgSidecar.Postgres.Replication;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Hears of news in the inbox, and does what is to be done from time to time: orphans, new partitions, figures, definitions of triggers.</summary>
internal sealed class EventUpkeep(
    NpgsqlDataSource dataSource,
    DeliveryStore deliveries,
    ReplicationStore replication,
    CaptureStore captures,
    TriggerCatalog triggers,
    EventDispatcher dispatcher,
    ReplicationWorker worker,
    BackfillWorker backfills,
    EventMetrics metrics,
    TimeProvider time,
    ILogger<EventUpkeep> logger,
    ILogger<ChangeListener> listenerLogger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim triggersChanged = new(1, 1);
    private readonly HashSet<string> refused = [];
    private HashSet<Guid> suspected = [];

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var listener = new ChangeListener(dataSource, listenerLogger, time, ChangeListener.FunctionsEvents);
        var listening = listener.RunAsync(OnNews, _ => OnNews("triggers"), stoppingToken);
        var refreshing = RefreshTriggersAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                if (await deliveries.ReleaseOrphansAsync(stoppingToken).ConfigureAwait(false) is var released and > 0)
                {
                    EventsLog.OrphansReleased(logger, released);
                    dispatcher.Wake();
                }
                await ReleaseLostAsync(stoppingToken).ConfigureAwait(false);
                await CaptureAsync(stoppingToken).ConfigureAwait(false);
                await captures.RefreshNamesAsync(stoppingToken).ConfigureAwait(false);
                metrics.Figures = await replication.FiguresAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                EventsLog.UpkeepFailed(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
        await Task.WhenAll(listening, refreshing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// A connection that is lost in the instant of a commit leaves deliveries that are down as this sidecar's and that it knows nothing of.
    /// What is so twice in a row is given back; what has no event any more is among it, and removed.
    /// </summary>
    private async Task ReleaseLostAsync(CancellationToken cancellationToken)
    {
        var unknown = (await deliveries.ClaimedAsync(cancellationToken).ConfigureAwait(false)).Where(id => !dispatcher.Holds(id)).ToHashSet();
        var lost = unknown.Where(suspected.Contains).ToList();
        suspected = unknown;
        if (lost.Count == 0)
            return;
        var removed = await deliveries.ReleaseAsync(lost, cancellationToken).ConfigureAwait(false);
        if (removed.Count > 0)
            EventsLog.EventsGone(logger, removed.Count, removed[0]);
        if (lost.Count > removed.Count)
            EventsLog.LostReleased(logger, lost.Count - removed.Count);
        dispatcher.Wake();
    }

    /// <summary>Partitions and ancestors that tables have been given since their trigger was made. What a table refuses with is logged once, and tried again.</summary>
    private async Task CaptureAsync(CancellationToken cancellationToken)
    {
        foreach (var table in await captures.UncapturedAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                if (await captures.CaptureAsync(table, cancellationToken).ConfigureAwait(false))
                    refused.Remove(table);
            }
            catch (PostgresException e) when (refused.Add(table))
            {
                EventsLog.CaptureFailed(logger, table, e.MessageText);
            }
            catch (PostgresException)
            {
                // As the log has it.
            }
        }
    }

    private void OnNews(string what)
    {
        if (what == "triggers")
        {
            worker.Wake();
            if (triggersChanged.CurrentCount == 0)
                triggersChanged.Release();
        }
        if (what is "backfills" or "triggers")
            backfills.Wake();
        dispatcher.Wake();
    }

    private async Task RefreshTriggersAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await triggersChanged.WaitAsync(Interval * 6, cancellationToken).ConfigureAwait(false);
                await triggers.RefreshAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                EventsLog.UpkeepFailed(logger, e.Message);
                await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
