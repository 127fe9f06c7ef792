using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Maintenance;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>Creates the partitions of coming days, and drops those that are older than the retention.</summary>
internal sealed class PartitionMaintenance(InvocationLogStore store, LimitsOptions limits, ILogger<PartitionMaintenance> logger)
    : IMaintenanceTask
{
    /// <inheritdoc/>
    public TimeSpan Interval { get; } = TimeSpan.FromHours(1);

    /// <inheritdoc/>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await store.MaintainPartitionsAsync(TimeSpan.FromDays(limits.LogRetentionDays), cancellationToken).ConfigureAwait(false);
        return false;
    }

    /// <inheritdoc/>
    public void LogFailure(Exception failure) => InvocationsLog.PartitionsFailed(logger, failure);
}
