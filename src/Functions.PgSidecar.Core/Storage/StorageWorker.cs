using Functions.PgSidecar.Core.Storage.Postgres;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Removes what deleted objects, dead writers and abandoned uploads have left.</summary>
internal sealed partial class StorageWorker(BucketStore store, StorageMetrics metrics, TimeProvider time, ILogger<StorageWorker> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                bool isMore;
                do
                {
                    (var bytes, isMore) = await store.ReclaimAsync(stoppingToken).ConfigureAwait(false);
                    metrics.CountReclaimed(bytes);
                } while (isMore);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                ReclaimFailed(logger, Interval, e.Message);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }

    [LoggerMessage(6400, LogLevel.Warning, "Could not remove deleted objects of buckets from the disk; trying again in {Delay}: {Reason}")]
    private static partial void ReclaimFailed(ILogger logger, TimeSpan delay, string reason);
}
