using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// Runs a consumer for each queue that a function consumes. Wakes it when messages are sent, and when delayed messages become visible;
/// releases the messages of sidecars that are gone; records counts.
/// </summary>
internal sealed class QueueWorker : BackgroundService, INotificationHandler, IEventProducer
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaintenanceInterval = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly QueueStore store;
    private readonly QueueDelivery delivery;
    private readonly FunctionCatalog catalog;
    private readonly QueueBacklogs backlogs;
    private readonly QueueMetrics metrics;
    private readonly TimeProvider time;
    private readonly ILogger<QueueWorker> logger;
    private readonly QueueSlots slots;
    private readonly WakeSignal signal = new();
    private bool isStopping;
    private readonly ConcurrentDictionary<string, QueueConsumer> consumers = new(StringComparer.Ordinal);

    public QueueWorker(
        QueueStore store,
        QueueDelivery delivery,
        FunctionCatalog catalog,
        QueueBacklogs backlogs,
        QueueMetrics metrics,
        LimitsOptions limits,
        TimeProvider time,
        ILogger<QueueWorker> logger
    )
    {
        this.store = store;
        this.delivery = delivery;
        this.catalog = catalog;
        this.backlogs = backlogs;
        this.metrics = metrics;
        this.time = time;
        this.logger = logger;
        // A quarter of the sidecar's capacity. Events have a half, and the rest is reserved for requests.
        slots = new QueueSlots(Math.Max(1, limits.Concurrency / 4));
    }

    /// <inheritdoc/>
    public EventProducerStage Stage => EventProducerStage.Delivery;

    /// <inheritdoc/>
    public string ChannelName => "functions_queues";

    /// <summary>The name of a queue to which messages were sent, or nothing: consumers were changed.</summary>
    public void Notified(string payload)
    {
        if (payload.Length == 0)
            signal.Set();
        else if (consumers.TryGetValue(payload, out var consumer))
            consumer.Wake();
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => signal.Set();

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        foreach (var consumer in consumers.Values)
            consumer.Stop();
        try
        {
            // Called first before the process waits for its invocations, and again afterwards, when only outcomes are left to record.
            if (isStopping)
            {
                await Task.WhenAll(consumers.Values.Select(consumer => consumer.DisposeAsync().AsTask()))
                    .WaitAsync(StopTimeout, time, cancellationToken)
                    .ConfigureAwait(false);
            }
            isStopping = true;
            await store.StopWaitingAsync(cancellationToken).ConfigureAwait(false);
            await metrics.Counts.RecordAsync(store, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            QueuesLog.MaintenanceFailed(logger, MaintenanceInterval, e.Message);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var maintained = time.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                Apply(await store.ConsumersAsync(stoppingToken).ConfigureAwait(false));
                if (!consumers.IsEmpty)
                {
                    foreach (var queue in await store.ReadyAsync(stoppingToken).ConfigureAwait(false))
                        Wake(queue);
                }
                if (time.GetElapsedTime(maintained) >= MaintenanceInterval)
                {
                    maintained = time.GetTimestamp();
                    await MaintainAsync(stoppingToken).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                QueuesLog.MaintenanceFailed(logger, PollInterval, e.Message);
            }
            await signal.WaitAsync(PollInterval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Starts and stops consumers, so that those run that the database lists.</summary>
    private void Apply(IReadOnlyList<QueueConsumerDefinition> wanted)
    {
        foreach (var consumer in consumers.Values.Where(consumer => !wanted.Contains(consumer.Definition)))
        {
            consumers.TryRemove(consumer.Definition.Queue, out _);
            _ = consumer.DisposeAsync().AsTask();
        }
        foreach (var definition in wanted.Where(definition => !consumers.ContainsKey(definition.Queue)))
        {
            var consumer = new QueueConsumer(definition, store, delivery, catalog, slots, metrics, WakeAll, time, logger);
            consumers[definition.Queue] = consumer;
            consumer.Start();
        }
    }

    private async Task MaintainAsync(CancellationToken cancellationToken)
    {
        foreach (var queue in await store.ReleaseAsync(cancellationToken).ConfigureAwait(false))
        {
            QueuesLog.Released(logger, queue);
            Wake(queue);
        }
        await metrics.Counts.RecordAsync(store, cancellationToken).ConfigureAwait(false);
        var measured = new Dictionary<string, QueueBacklog>(StringComparer.Ordinal);
        foreach (var queue in consumers.Keys)
        {
            if (await backlogs.MeasureAsync(queue, role: null, cancellationToken).ConfigureAwait(false) is { } backlog)
                measured[queue] = backlog;
        }
        metrics.Backlogs = measured;
    }

    private void Wake(string queue)
    {
        if (consumers.TryGetValue(queue, out var consumer))
            consumer.Wake();
    }

    private void WakeAll()
    {
        foreach (var consumer in consumers.Values)
            consumer.Wake();
    }
}
