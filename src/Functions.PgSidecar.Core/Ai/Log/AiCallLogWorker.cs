using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Ai.Log;

/// <summary>Writes the log of calls in batches.</summary>
internal sealed class AiCallLogWorker(AiCallLog log, AiCallStore store, TimeProvider time, ILogger<AiCallLogWorker> logger)
    : BackgroundService
{
    /// <summary>How long a batch is collected.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private IReadOnlyList<AiCallRecord> batch = [];
    private long reported;

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        // The current batch, then the records of the last calls.
        for (var i = 0; i < 2; i++)
            await WriteAsync(cancellationToken, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (batch.Count > 0)
            AiLog.RecordsLost(logger, batch.Count);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await log.WaitAsync(stoppingToken).ConfigureAwait(false))
            {
                await Task.Delay(Gather, time, stoppingToken).ConfigureAwait(false);
                // A cancelled write may or may not have been committed, so a shutdown waits for it.
                await WriteAsync(stoppingToken, CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // StopAsync writes the rest.
        }
    }

    /// <summary>Writes everything, with retries. A batch that could not be written is kept.</summary>
    /// <param name="giveUp">Ends the retries, between two attempts.</param>
    /// <param name="breakOff">Cancels an attempt.</param>
    private async Task WriteAsync(CancellationToken giveUp, CancellationToken breakOff)
    {
        if (batch.Count == 0)
            batch = log.Take();
        for (var pause = FirstPause; batch.Count > 0; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                await store.WriteAsync(batch, breakOff).ConfigureAwait(false);
                batch = [];
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                AiLog.WriteFailed(logger, pause, e.Message);
                await Task.Delay(pause, time, giveUp).ConfigureAwait(false);
            }
        }
        var dropped = log.Dropped - reported;
        if (dropped == 0)
            return;
        reported += dropped;
        AiLog.RecordsDropped(logger, dropped);
    }
}
