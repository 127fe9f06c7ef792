using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Records uses, and removes values that have expired or exceed a cache's size.</summary>
internal sealed partial class CacheWorker(
    CacheStore store,
    CacheUses uses,
    CacheMetrics metrics,
    TimeProvider time,
    ILogger<CacheWorker> logger
) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>As many expired values as <c>functions_private.maintain_caches</c> removes at once.</summary>
    private const long FullBatch = 10_000;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                if (uses.Take() is { Count: > 0 } used)
                    await store.RecordUseAsync(used, stoppingToken).ConfigureAwait(false);
                long removed;
                do
                {
                    removed = await store.MaintainAsync(stoppingToken).ConfigureAwait(false);
                    metrics.CountRemoved(removed);
                } while (removed >= FullBatch);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                MaintenanceFailed(logger, Interval, e.Message);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    [LoggerMessage(6300, LogLevel.Warning, "Could not remove expired values of caches; trying again in {Delay}: {Reason}")]
    private static partial void MaintenanceFailed(ILogger logger, TimeSpan delay, string reason);
}
