using Functions.PgSidecar.Postgres.Events;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Does the backfills that were asked for, one after another, and asks conditions of dead letters again. Sidecars share the work; each backfill is done by one of them.
/// </summary>
internal sealed class BackfillWorker(
    Backfill backfill, RedrivenConditions conditions, EventDispatcher dispatcher, TimeProvider time, ILogger<BackfillWorker> logger) : BackgroundService
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim signal = new(1, 1);

    /// <summary>There may be one to do.</summary>
    public void Wake()
    {
        if (signal.CurrentCount == 0)
            signal.Release();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await signal.WaitAsync(PollInterval, stoppingToken).ConfigureAwait(false);
                while (await backfill.RunNextAsync(stoppingToken).ConfigureAwait(false) is { } result)
                    Report(result);
                while (await conditions.RunNextAsync(stoppingToken).ConfigureAwait(false))
                    dispatcher.Wake();
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                EventsLog.UpkeepFailed(logger, e.Message);
                await Task.Delay(PollInterval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Report(BackfillResult result)
    {
        if (result.Error is { } error)
            EventsLog.BackfillFailed(logger, result.Id, error);
        else
            EventsLog.BackfillDone(logger, result.Id, result.Trigger, result.Rows);
        dispatcher.Wake();
    }
}
