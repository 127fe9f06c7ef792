using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.RowChanges.Backfills;

/// <summary>
/// Runs requested backfills one after another, and evaluates the conditions of redriven dead letters. Sidecars share the work; each
/// backfill is run by one of them.
/// </summary>
internal sealed class BackfillWorker(
    Backfill backfill,
    RedrivenConditions conditions,
    EventDispatcher dispatcher,
    TimeProvider time,
    ILogger<BackfillWorker> logger
) : BackgroundService, INotificationHandler
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(10);

    private readonly WakeSignal signal = new(isSet: true);

    /// <inheritdoc/>
    public string ChannelName => EventChannel.Name;

    /// <inheritdoc/>
    public void Notified(string payload)
    {
        if (payload is EventChannel.Backfills or EventChannel.Triggers)
            signal.Set();
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => signal.Set();

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
                EventsLog.MaintenanceFailed(logger, e.Message);
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
