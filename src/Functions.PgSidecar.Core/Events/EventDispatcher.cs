using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Postgres.Events;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Gives events to functions. They come from the reader of the WAL at once, if that is this sidecar and it has room, and otherwise from the
/// inbox, which every sidecar claims from.
/// </summary>
internal sealed class EventDispatcher : BackgroundService
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(100);

    private readonly DeliveryStore store;
    private readonly TriggerCatalog triggers;
    private readonly EventInvoker invoker;
    private readonly DeliveryCompleter completer;
    private readonly EventMetrics metrics;
    private readonly TimeProvider time;
    private readonly ILogger<EventDispatcher> logger;
    private readonly HeldDeliveries held;
    private readonly SemaphoreSlim signal = new(0, 1);
    private readonly ConcurrentQueue<Delivery> unseen = new();
    private readonly SemaphoreSlim unseenSignal = new(0, 1);
    private volatile bool moreWaits;

    public EventDispatcher(
        DeliveryStore store,
        TriggerCatalog triggers,
        EventInvoker invoker,
        DeliveryCompleter completer,
        EventMetrics metrics,
        LimitsOptions limits,
        TimeProvider time,
        ILogger<EventDispatcher> logger)
    {
        this.store = store;
        this.triggers = triggers;
        this.invoker = invoker;
        this.completer = completer;
        this.metrics = metrics;
        this.time = time;
        this.logger = logger;
        // Half of what the sidecar bears: requests keep the other half.
        held = new HeldDeliveries(Math.Max(1, limits.Concurrency / 2));
        completer.Recorded = OnRecorded;
    }

    /// <summary>Whether this sidecar takes an event that is about to be stored.</summary>
    public bool TryReserve(string function, int bytes) => held.TryReserve(function, bytes);

    /// <summary>Gives a place back.</summary>
    public void Release(string function, int bytes) => held.Release(function, bytes);

    /// <summary>Takes events that were stored for this sidecar.</summary>
    public void Accept(IReadOnlyList<Delivery> deliveries)
    {
        foreach (var delivery in deliveries)
        {
            if (delivery.Xid == 0)
            {
                held.Enqueue(delivery);
                continue;
            }
            held.Keep(delivery);
            unseen.Enqueue(delivery);
            Raise(unseenSignal);
        }
        StartWaiting();
    }

    /// <summary>
    /// More was stored for these functions than this sidecar took. Looked for at once only where there is room: while a function is disabled or
    /// has all that it may hold, each of its changes would have the inbox searched in vain.
    /// </summary>
    public void LeftBehind(IReadOnlyCollection<string> functions)
    {
        moreWaits = true;
        if (held.Room(functions).Count > 0)
            Wake();
    }

    /// <summary>Whether an event is in this sidecar's hands.</summary>
    public bool Holds(Guid eventId) => held.Holds(eventId);

    /// <summary>There may be something to claim.</summary>
    public void Wake() => Raise(signal);

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
        var looking = LookForUnseenAsync(stoppingToken);
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
            await ((Task)signal.WaitAsync(PollInterval, stoppingToken)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await looking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ClaimAsync(CancellationToken cancellationToken)
    {
        moreWaits = false; // before the question: what is left behind meanwhile must not be forgotten
        var names = await store.FunctionsAsync(cancellationToken).ConfigureAwait(false);
        if (names.Count > 0)
            moreWaits = true;
        var room = held.Room(names);
        if (room.Count == 0)
            return;
        var deliveries = await store.ClaimAsync(room, cancellationToken).ConfigureAwait(false);
        if (deliveries.Any(delivery => delivery.TriggerId is { } id && !triggers.Knows(id)))
            await triggers.RefreshAsync(cancellationToken).ConfigureAwait(false);
        foreach (var delivery in deliveries)
            held.Claimed(delivery);
        StartWaiting();
    }

    private void StartWaiting()
    {
        foreach (var batch in held.Start(delivery => triggers.Find(delivery.TriggerId)?.BatchSize ?? 1))
            _ = DeliverAsync(batch);
    }

    private async Task DeliverAsync(Delivery[] batch)
    {
        // Off the caller's thread, which has others to start.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var end = DeliveryEnd.NotCallable;
        List<DeliveryOutcome> outcomes;
        try
        {
            (end, outcomes) = await invoker.DeliverAsync(batch, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SidecarException e) when (e.Status == 503)
        {
            // The registry can't be read: the database is away. Not an attempt.
            EventsLog.DeliveryPostponed(logger, batch[0].Function, e.Message);
            end = new DeliveryEnd(null, IsDatabaseAway: true);
            outcomes = EventInvoker.PutBack(batch, EventInvoker.Unavailable, e.Message);
        }
        catch (Exception e)
        {
            // The function can't be loaded: its secrets can't be opened, say. Not an attempt.
            EventsLog.DeliveryFailed(logger, e, batch[0].Function, batch[0].EventId);
            outcomes = EventInvoker.PutBack(batch, EventInvoker.Unavailable, e.Message);
        }
        foreach (var outcome in outcomes)
        {
            Count(outcome);
            completer.Add(outcome);
        }
        var few = held.End(batch, end);
        if (!end.CanGoOn)
        {
            // The others of the function would fare the same: they wait in the inbox, where they hold no place.
            foreach (var outcome in EventInvoker.PutBack(held.TakeWaiting(batch[0].Function), EventInvoker.Unavailable, outcomes[0].ErrorMessage))
                completer.Add(outcome);
        }
        StartWaiting();
        if (few && moreWaits)
            Wake();
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

    /// <summary>What was behind an event of the same key may go now; what is to be tried again before the next poll is looked for in time.</summary>
    private void OnRecorded(IReadOnlyList<DeliveryOutcome> outcomes)
    {
        var soonest = PollInterval;
        foreach (var outcome in outcomes)
        {
            if (outcome.RetryAfter is { } pause && pause < soonest)
                soonest = pause;
            if (triggers.Find(outcome.Delivery.TriggerId) is { OrderBy.Count: > 0 })
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
    /// A change is in the WAL before everybody can see it: by microseconds, or as long as a synchronous standby takes. Until then its events
    /// wait here.
    /// </summary>
    private async Task LookForUnseenAsync(CancellationToken cancellationToken)
    {
        var pause = FirstLook;
        while (!cancellationToken.IsCancellationRequested)
        {
            await unseenSignal.WaitAsync(cancellationToken).ConfigureAwait(false);
            var waiting = new List<Delivery>();
            while (unseen.TryDequeue(out var delivery)) waiting.Add(delivery);
            if (waiting.Count == 0)
                continue;
            try
            {
                var visible = await store.VisibleAsync([.. waiting.Select(delivery => delivery.Xid).Distinct()], cancellationToken).ConfigureAwait(false);
                Accept([.. waiting.Select(delivery => visible.Contains(delivery.Xid) ? delivery with { Xid = 0 } : delivery)]);
                pause = visible.Count > 0 ? FirstLook : TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestLook.Ticks));
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                EventsLog.ClaimFailed(logger, e.Message);
                Accept(waiting);
                pause = LongestLook;
            }
            if (!unseen.IsEmpty)
                await Task.Delay(pause, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static void Raise(SemaphoreSlim semaphore)
    {
        if (semaphore.CurrentCount > 0)
            return;
        try
        {
            semaphore.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else raised it in the same instant.
        }
    }
}
