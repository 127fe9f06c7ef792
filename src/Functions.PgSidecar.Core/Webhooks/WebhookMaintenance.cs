using Functions.PgSidecar.Core.Maintenance;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Forgets deliveries whose time is over, and secrets whose overlap is over.</summary>
internal sealed class WebhookMaintenance(WebhookStore store, ILogger<WebhookMaintenance> logger) : IMaintenanceTask
{
    private const int MaxBatch = 5000;

    /// <inheritdoc/>
    public TimeSpan Interval { get; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public async Task<bool> RunAsync(CancellationToken cancellationToken) =>
        await store.ExpireAsync(MaxBatch, cancellationToken).ConfigureAwait(false) == MaxBatch;

    /// <inheritdoc/>
    public void LogFailure(Exception failure) => WebhookLog.ExpireFailed(logger, Interval, failure.Message);
}
