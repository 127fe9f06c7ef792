using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Periodic maintenance: releases lost deliveries, captures writers of new partitions, and refreshes figures and trigger definitions.
/// </summary>
internal sealed class EventMaintenanceWorker(
    DeliveryStore deliveries,
    ReplicationStore replication,
    CaptureStore captures,
    TriggerCatalog triggers,
    EventDispatcher dispatcher,
    EventMetrics metrics,
    TimeProvider time,
    ILogger<EventMaintenanceWorker> logger
) : BackgroundService, INotificationHandler
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly WakeSignal triggersChanged = new(isSet: true);
    private readonly HashSet<string> refused = [];
    private HashSet<Guid> suspected = [];

    /// <inheritdoc/>
    public string ChannelName => EventChannel.Name;

    /// <inheritdoc/>
    public void Notified(string payload)
    {
        if (payload == EventChannel.Triggers)
            triggersChanged.Set();
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => triggersChanged.Set();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
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
                EventsLog.MaintenanceFailed(logger, e.Message);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
        await refreshing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>
    /// A connection that is lost at the instant of a commit leaves deliveries that the database lists as claimed by this sidecar, but that
    /// it does not hold. Those found twice in a row are released; if their event no longer exists, they are removed.
    /// </summary>
    private async Task ReleaseLostAsync(CancellationToken cancellationToken)
    {
        var unknown = (await deliveries.ClaimedAsync(cancellationToken).ConfigureAwait(false))
            .Where(id => !dispatcher.Holds(id))
            .ToHashSet();
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

    /// <summary>
    /// Captures the writers of partitions and parents that tables got after their trigger was created. A table's refusal is logged once,
    /// and retried.
    /// </summary>
    private async Task CaptureAsync(CancellationToken cancellationToken)
    {
        foreach (var table in await captures.UncapturedAsync(cancellationToken).ConfigureAwait(false))
        {
            var (isDone, refusal) = await captures.CaptureAsync(table, cancellationToken).ConfigureAwait(false);
            if (isDone)
                refused.Remove(table);
            else if (refusal is not null && refused.Add(table))
                EventsLog.CaptureFailed(logger, table, refusal);
        }
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
                EventsLog.MaintenanceFailed(logger, e.Message);
                await Task.Delay(Interval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
