using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>
/// Deletes old records of runs, ends those of runs whose events are gone, and cancels runs whose notification was missed.
/// </summary>
internal sealed class ScheduleMaintenanceWorker(
    ScheduleStore store,
    CancellableDeliveries deliveries,
    SidecarIdentity identity,
    LimitsOptions limits,
    ScheduleMetrics metrics,
    TimeProvider time,
    ILogger<ScheduleMaintenanceWorker> logger
) : BackgroundService
{
    private const int MaxExpired = 5000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                var running = deliveries.Running();
                if (running.Count > 0)
                {
                    foreach (var id in await store.LostAsync(identity.Id, running, stoppingToken).ConfigureAwait(false))
                        deliveries.Cancel(id);
                }
                metrics.Failing = await store.MaintainAsync(stoppingToken).ConfigureAwait(false);
                var retention = TimeSpan.FromDays(limits.LogRetentionDays);
                while (await store.ExpireAsync(retention, MaxExpired, stoppingToken).ConfigureAwait(false) == MaxExpired)
                    stoppingToken.ThrowIfCancellationRequested();
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                SchedulesLog.MaintenanceFailed(logger, Interval, e.Message);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }
}
