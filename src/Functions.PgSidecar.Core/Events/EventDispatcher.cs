using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Delivers events to functions. If this sidecar reads the WAL and has capacity, it gets them directly from the reader; otherwise it claims
/// them from the inbox, as every sidecar does.
/// </summary>
internal sealed class EventDispatcher : BackgroundService, IFeedSink, INotificationHandler, IEventProducer
{
    /// <summary>
    /// The most deliveries of a function that the first claim takes: their invocations start while the others are claimed.
    /// </summary>
    private const int FirstClaim = 100;

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstVisibilityPause = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestVisibilityPause = TimeSpan.FromMilliseconds(100);

    private readonly DeliveryStore store;
    private readonly TriggerCatalog triggers;
    private readonly EventInvoker invoker;
    private readonly DeliveryCompleter completer;
    private readonly CancellableDeliveries cancellable;
    private readonly EventMetrics metrics;
    private readonly TimeProvider time;
    private readonly ILogger<EventDispatcher> logger;
    private readonly HeldDeliveries held;
    private readonly WakeSignal signal = new();
    private readonly ConcurrentQueue<Delivery> invisible = new();
    private readonly WakeSignal invisibleSignal = new();
    private volatile bool inboxHasMore;

    public EventDispatcher(
        DeliveryStore store,
        TriggerCatalog triggers,
        EventInvoker invoker,
        DeliveryCompleter completer,
        CancellableDeliveries cancellable,
        EventMetrics metrics,
        LimitsOptions limits,
        TimeProvider time,
        ILogger<EventDispatcher> logger
    )
    {
        this.store = store;
        this.triggers = triggers;
        this.invoker = invoker;
        this.completer = completer;
        this.cancellable = cancellable;
        this.metrics = metrics;
        this.time = time;
        this.logger = logger;
        // Half of the sidecar's capacity; the other half is reserved for requests.
        held = new HeldDeliveries(Math.Max(1, limits.Concurrency / 2));
        completer.Recorded = OnRecorded;
    }

    /// <inheritdoc/>
    public bool Reserve(string function, int bytes) => held.TryReserve(function, bytes);

    /// <inheritdoc/>
    public void Forget(IReadOnlyList<(string Function, int Bytes)> reserved)
    {
        foreach (var (function, bytes) in reserved)
            held.Release(function, bytes);
    }

    /// <inheritdoc/>
    public void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left)
    {
        foreach (var delivery in deliveries)
        {
            if (delivery.Xid == 0)
            {
                held.Enqueue(delivery);
                continue;
            }
            held.Keep(delivery);
            invisible.Enqueue(delivery);
            invisibleSignal.Set();
        }
        StartWaiting();
        if (left.Count == 0)
            return;
        inboxHasMore = true;
        // Claimed at once only if there is capacity: while a function is disabled or holds its full share, each of its changes would search
        // the inbox in vain.
        if (held.Room(left).Count > 0)
            Wake();
    }

    /// <summary>Takes deliveries that are assigned to this sidecar, and starts those for which there is capacity.</summary>
    public void Take(IReadOnlyList<Delivery> deliveries)
    {
        foreach (var delivery in deliveries)
            held.Claimed(delivery);
        StartWaiting();
    }

    /// <summary>Whether this sidecar holds an event.</summary>
    public bool Holds(Guid eventId) => held.Holds(eventId);

    /// <inheritdoc/>
    public EventProducerStage Stage => EventProducerStage.Delivery;

    /// <inheritdoc/>
    public string ChannelName => EventChannel.Name;

    /// <inheritdoc/>
    public void Notified(string payload) => Wake();

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => Wake();

    /// <summary>Requests a claim: there may be events in the inbox.</summary>
    public void Wake() => signal.Set();

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        foreach (var outcome in EventInvoker.PutBack(held.Close(), TimeSpan.Zero, null))
            completer.Add(outcome);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var visibility = AwaitVisibilityAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ClaimAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                EventsLog.ClaimFailed(logger, e.Message);
            }
            await signal.WaitAsync(PollInterval, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await visibility.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ClaimAsync(CancellationToken cancellationToken)
    {
        inboxHasMore = false; // before the query, so that events that are left behind during it are not missed
        var names = await store.FunctionsAsync(cancellationToken).ConfigureAwait(false);
        if (names.Count > 0)
            inboxHasMore = true;
        var first = held.Room(names).ToDictionary(free => free.Key, free => Math.Min(free.Value, FirstClaim), StringComparer.Ordinal);
        if (first.Count == 0 || await ClaimAsync(first, cancellationToken).ConfigureAwait(false) < FirstClaim)
            return;
        if (held.Room(names) is { Count: > 0 } rest)
            await ClaimAsync(rest, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Claims deliveries and starts those for which there is capacity.</summary>
    /// <returns>How many were claimed.</returns>
    private async Task<int> ClaimAsync(Dictionary<string, int> room, CancellationToken cancellationToken)
    {
        var deliveries = await store.ClaimAsync(room, cancellationToken).ConfigureAwait(false);
        if (deliveries.Any(delivery => delivery.TriggerId is { } id && !triggers.Knows(id)))
            await triggers.RefreshAsync(cancellationToken).ConfigureAwait(false);
        Take(deliveries);
        return deliveries.Count;
    }

    private void StartWaiting()
    {
        foreach (var batch in held.Start(delivery => triggers.Find(delivery.TriggerId)?.BatchSize ?? 1))
            _ = DeliverAsync(batch);
    }

    private async Task DeliverAsync(Delivery[] batch)
    {
        // Yield, so that the calling thread can start other deliveries.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var end = DeliveryEnd.NotCallable;
        List<DeliveryOutcome> outcomes;
        try
        {
            (end, outcomes) =
                batch[0].Kind == TriggerKind.Schedule
                    ? await DeliverCancellableAsync(batch).ConfigureAwait(false)
                    : await invoker.DeliverAsync(batch, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SidecarException e) when (e.Status == 503)
        {
            // The registry can't be read because the database is unavailable. This does not count as an attempt.
            EventsLog.DeliveryPostponed(logger, batch[0].Function, e.Message);
            end = new DeliveryEnd(null, IsDatabaseAway: true);
            outcomes = EventInvoker.PutBack(batch, EventInvoker.Unavailable, e.Message);
        }
        catch (Exception e)
        {
            // The function can't be loaded, for example because its secrets can't be decrypted. This does not count as an attempt.
            EventsLog.DeliveryFailed(logger, e, batch[0].Function, batch[0].EventId);
            outcomes = EventInvoker.PutBack(batch, EventInvoker.Unavailable, e.Message);
        }
        foreach (var outcome in outcomes)
        {
            Count(outcome);
            completer.Add(outcome);
        }
        var needsMore = held.End(batch, end);
        if (!end.CanGoOn)
        {
            // The function's other deliveries would fail in the same way. They wait in the inbox, where they take no capacity.
            foreach (
                var outcome in EventInvoker.PutBack(held.TakeWaiting(batch[0].Function), EventInvoker.Unavailable, outcomes[0].ErrorMessage)
            )
                completer.Add(outcome);
        }
        StartWaiting();
        if (needsMore && inboxHasMore)
            Wake();
    }

    /// <summary>Runs of schedules can be cancelled, and their times are recorded.</summary>
    private async Task<(DeliveryEnd End, List<DeliveryOutcome> Outcomes)> DeliverCancellableAsync(Delivery[] batch)
    {
        var began = time.GetTimestamp();
        var cancellation = cancellable.Begin(batch[0].EventId);
        try
        {
            var (end, outcomes) = await invoker.DeliverAsync(batch, cancellation.Token).ConfigureAwait(false);
            return (end, [.. outcomes.Select(outcome => outcome with { Began = began, Ended = time.GetTimestamp() })]);
        }
        finally
        {
            cancellable.End(batch[0].EventId, cancellation);
        }
    }

    private void Count(in DeliveryOutcome outcome)
    {
        if (outcome.Succeeded)
            metrics.CountDelivered();
        else if (outcome.RetryAfter is null)
            metrics.CountDead();
        else if (outcome.ErrorCode is not null)
            metrics.CountRetried();
    }

    /// <summary>
    /// Events that waited behind one of the same key can be claimed now. Retries that are due before the next poll get a timer.
    /// </summary>
    private void OnRecorded(IReadOnlyList<DeliveryOutcome> outcomes)
    {
        var soonest = PollInterval;
        foreach (var outcome in outcomes)
        {
            if (outcome.RetryAfter is { } pause && pause < soonest)
                soonest = pause;
            if (outcome.Delivery.IsOrdered)
                Wake();
        }
        if (soonest < PollInterval)
            _ = WakeLaterAsync(soonest);
    }

    private async Task WakeLaterAsync(TimeSpan pause)
    {
        await Task.Delay(pause, time).ConfigureAwait(false);
        Wake();
    }

    /// <summary>
    /// A change is in the WAL before it is visible to others: by microseconds, or for as long as a synchronous standby takes. Until then
    /// its events wait here.
    /// </summary>
    private async Task AwaitVisibilityAsync(CancellationToken cancellationToken)
    {
        var pause = FirstVisibilityPause;
        while (!cancellationToken.IsCancellationRequested)
        {
            await invisibleSignal.WaitAsync(cancellationToken).ConfigureAwait(false);
            var waiting = new List<Delivery>();
            while (invisible.TryDequeue(out var delivery))
                waiting.Add(delivery);
            if (waiting.Count == 0)
                continue;
            try
            {
                var visible = await store
                    .VisibleAsync([.. waiting.Select(delivery => delivery.Xid).Distinct()], cancellationToken)
                    .ConfigureAwait(false);
                Accept([.. waiting.Select(delivery => visible.Contains(delivery.Xid) ? delivery with { Xid = 0 } : delivery)], []);
                pause =
                    visible.Count > 0 ? FirstVisibilityPause : TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestVisibilityPause.Ticks));
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                EventsLog.ClaimFailed(logger, e.Message);
                Accept(waiting, []);
                pause = LongestVisibilityPause;
            }
            if (!invisible.IsEmpty)
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
