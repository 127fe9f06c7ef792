using System.Threading.Channels;
using Functions.PgSidecar.Core.RowChanges.Reading;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Records delivery outcomes in batches: each batch holds the outcomes that arrived while the previous one was being recorded. Starts
/// before the dispatcher and stops after it. Deliveries whose outcome can't be recorded are delivered again.
/// </summary>
internal sealed class DeliveryCompleter(DeliveryStore store, TimeProvider time, ILogger<DeliveryCompleter> logger) : BackgroundService
{
    private const int MaxBatch = 1000;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    // Unbounded, because each entry is a held delivery, and the number of held deliveries is bounded.
    private readonly Channel<DeliveryOutcome> outcomes = Channel.CreateUnbounded<DeliveryOutcome>(
        new UnboundedChannelOptions { SingleReader = true }
    );

    /// <summary>Called after outcomes were recorded.</summary>
    public Action<IReadOnlyList<DeliveryOutcome>>? Recorded { get; set; }

    /// <summary>Queues an outcome for recording.</summary>
    public void Add(in DeliveryOutcome outcome) => outcomes.Writer.TryWrite(outcome);

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        outcomes.Writer.TryComplete();
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await store.ReleaseAllAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            EventsLog.MaintenanceFailed(logger, e.Message);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Ends when the channel is completed. From the stop on, recording gets a grace period only.
        using var giveUp = new CancellationTokenSource();
        await using var ending = stoppingToken.Register(() => giveUp.CancelAfter(StopTimeout)).ConfigureAwait(false);
        var batch = new List<DeliveryOutcome>();
        var pace = new Pace(time);
        while (await outcomes.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
        {
            await pace.NextAsync(CancellationToken.None).ConfigureAwait(false);
            while (batch.Count < MaxBatch && outcomes.Reader.TryRead(out var outcome))
                batch.Add(outcome);
            await RecordAsync(batch, giveUp.Token).ConfigureAwait(false);
            batch.Clear();
        }
    }

    private async Task RecordAsync(List<DeliveryOutcome> batch, CancellationToken giveUp)
    {
        for (var pause = FirstPause; ; pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks)))
        {
            try
            {
                await store.CompleteAsync(batch, giveUp).ConfigureAwait(false);
                Recorded?.Invoke(batch);
                return;
            }
            catch (Exception e)
            {
                if (giveUp.IsCancellationRequested)
                {
                    EventsLog.CompletionLost(logger, batch.Count);
                    return;
                }
                EventsLog.CompletionFailed(logger, batch.Count, pause, e.Message);
                await Task.Delay(pause, time, giveUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
