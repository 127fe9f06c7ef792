using Functions.PgSidecar.Core.Maintenance;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Ai.Limits;

/// <summary>Removes expired answers of models, and the counts of past periods.</summary>
internal sealed class AiMaintenance(AiUsageStore usage, ILogger<AiMaintenance> logger) : IMaintenanceTask
{
    /// <inheritdoc/>
    public TimeSpan Interval { get; } = TimeSpan.FromMinutes(5);

    /// <inheritdoc/>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await usage.MaintainAsync(cancellationToken).ConfigureAwait(false);
        return false;
    }

    /// <inheritdoc/>
    public void LogFailure(Exception failure) => AiLog.MaintenanceFailed(logger, Interval, failure.Message);
}
