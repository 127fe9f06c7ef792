using System.Threading.Channels;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>
/// Stores the events of webhooks in the inbox. Requests that arrive while others are being stored are stored together, in one round trip
/// and one commit, and each is answered after its commit is on disk. It stops after the server has answered its last request.
/// </summary>
internal sealed class WebhookInbox(
    NpgsqlDataSource dataSource,
    SidecarIdentity sidecar,
    EventDispatcher dispatcher,
    TimeProvider time,
    ILogger<WebhookInbox> logger
) : BackgroundService
{
    /// <summary>Two: while one waits for the disk, the other stores what has arrived meanwhile.</summary>
    private const int Writers = 2;

    private const int MaxBatch = 256;
    private const int MaxBatchBytes = 8 << 20;

    /// <summary>The most requests that wait. Beyond that senders get 503, and repeat theirs.</summary>
    private const int MaxWaiting = 4096;

    // Full mode: a write that finds the channel full fails, and the sender is told so.
    private readonly Channel<WebhookArrival> arrivals = Channel.CreateBounded<WebhookArrival>(MaxWaiting);

    /// <summary>Stores a request's event.</summary>
    /// <returns>What became of it, after its commit.</returns>
    public Task<WebhookReceipt> StoreAsync(WebhookArrival arrival)
    {
        if (!arrivals.Writer.TryWrite(arrival))
            arrival.Complete(new WebhookReceipt(WebhookReceiptStatus.Full));
        return arrival.Receipt;
    }

    /// <inheritdoc/>
    public override Task StopAsync(CancellationToken cancellationToken)
    {
        arrivals.Writer.TryComplete();
        return base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, Writers).Select(_ => Task.Run(WriteAsync, CancellationToken.None)));

    private async Task WriteAsync()
    {
        await using var writer = new WebhookWriter(dataSource, sidecar.Id, dispatcher, time);
        var batch = new List<WebhookArrival>(MaxBatch);
        // Ends when the channel is completed and empty: what was taken in is stored, or its sender told that it is not.
        while (await WaitAsync(writer).ConfigureAwait(false))
        {
            var bytes = 0;
            while (batch.Count < MaxBatch && bytes < MaxBatchBytes && arrivals.Reader.TryRead(out var arrival))
            {
                batch.Add(arrival);
                bytes += arrival.Payload.Length;
            }
            await StoreAsync(writer, batch).ConfigureAwait(false);
            batch.Clear();
        }
    }

    /// <summary>Waits for requests; while there are none, the writer's connection is given back.</summary>
    private async Task<bool> WaitAsync(WebhookWriter writer)
    {
        var waiting = arrivals.Reader.WaitToReadAsync(CancellationToken.None);
        if (waiting.IsCompleted || !writer.IsConnected)
            return await waiting.ConfigureAwait(false);
        var task = waiting.AsTask();
        await ((Task)task)
            .WaitAsync(WebhookWriter.Idle, time, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!task.IsCompleted)
            await writer.DisconnectAsync().ConfigureAwait(false);
        return await task.ConfigureAwait(false);
    }

    private async Task StoreAsync(WebhookWriter writer, List<WebhookArrival> batch)
    {
        try
        {
            await writer.StoreAsync(batch).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The worker's loop: whatever failed, the senders are told, and the next requests are tried.
            WebhookLog.StoreFailed(logger, batch.Count, e.Message);
        }
        foreach (var arrival in batch)
            arrival.Complete(new WebhookReceipt(WebhookReceiptStatus.Failed)); // of those that are not complete
    }
}
