using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Maintenance;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>
/// Deletes old records of runs, ends those of runs whose events are gone, and cancels runs whose notification was missed.
/// </summary>
internal sealed class ScheduleMaintenance(
    ScheduleStore store,
    CancellableDeliveries deliveries,
    SidecarIdentity identity,
    LimitsOptions limits,
    ScheduleMetrics metrics,
    ILogger<ScheduleMaintenance> logger
) : IMaintenanceTask
{
    private const int MaxExpired = 5000;

    /// <inheritdoc/>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(15);

    /// <inheritdoc/>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var running = deliveries.Running();
        if (running.Count > 0)
        {
            foreach (var id in await store.LostAsync(identity.Id, running, cancellationToken).ConfigureAwait(false))
                deliveries.Cancel(id);
        }
        metrics.Failing = await store.MaintainAsync(cancellationToken).ConfigureAwait(false);
        var retention = TimeSpan.FromDays(limits.LogRetentionDays);
        return await store.ExpireAsync(retention, MaxExpired, cancellationToken).ConfigureAwait(false) == MaxExpired;
    }

    /// <inheritdoc/>
    public void LogFailure(Exception failure) => SchedulesLog.MaintenanceFailed(logger, Interval, failure.Message);
}
