using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Forgets deliveries whose time is over, and secrets whose overlap is over.</summary>
internal sealed class WebhookExpiryWorker(WebhookStore store, TimeProvider time, ILogger<WebhookExpiryWorker> logger) : BackgroundService
{
    private const int MaxBatch = 5000;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                while (await store.ExpireAsync(MaxBatch, stoppingToken).ConfigureAwait(false) == MaxBatch)
                {
                    // More are over.
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                WebhookLog.ExpireFailed(logger, Interval, e.Message);
            }
        } while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false));
    }
}
