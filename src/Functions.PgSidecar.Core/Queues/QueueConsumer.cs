using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// Consumes one queue: claims batches while there is capacity, has them delivered, extends their leases meanwhile and records the outcomes.
/// Woken when messages are sent or become visible, and when capacity is free again.
/// </summary>
internal sealed class QueueConsumer : IAsyncDisposable
{
    /// <summary>The most messages in one claim: with more, the first ones would wait for the last ones to be read.</summary>
    private const int MaxClaimed = 1000;

    private const int MaxClaimedBatches = 256;

    /// <summary>How long a busy consumer waits until many of its batches have ended, before it claims again.</summary>
    private static readonly TimeSpan GatherTime = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan WhileEnding = TimeSpan.FromMilliseconds(100);

    /// <summary>How often all visible messages are looked for, not only those that became visible after the ones that were found.</summary>
    private static readonly TimeSpan WholeLookInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Messages whose transactions were committed late became visible, by their <c>vt</c>, before others that were found before.
    /// </summary>
    private static readonly TimeSpan LateCommits = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// After so long without messages, the next ones leave this sidecar recorded as waiting, so that it need not look again before it waits
    /// again. Each message is then notified, which would hold up senders of many: commits that notify wait for each other.
    /// </summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(5);

    private readonly QueueConsumerDefinition definition;
    private readonly QueueStore store;
    private readonly QueueDelivery delivery;
    private readonly FunctionCatalog catalog;
    private readonly QueueSlots slots;
    private readonly QueueMetrics metrics;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly WakeSignal signal = new(isSet: true);
    private readonly QueueAcknowledger acknowledger;
    private readonly HeldBatches held;
    private readonly CancellationTokenSource stopping = new();
    private Task? loop;
    private DateTime? since;
    private long lastWholeLook;
    private long lastClaim;
    private long lastFound;

    /// <summary>Whether the last claim found as many batches as there was capacity for.</summary>
    private volatile bool hasMore;

    /// <param name="definition">What it does.</param>
    /// <param name="store">Claims and records.</param>
    /// <param name="delivery">Delivers a batch.</param>
    /// <param name="catalog">The functions.</param>
    /// <param name="slots">The slots of all queues.</param>
    /// <param name="metrics">Counts.</param>
    /// <param name="capacityIsFree">Wakes the consumers of all queues.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public QueueConsumer(
        QueueConsumerDefinition definition,
        QueueStore store,
        QueueDelivery delivery,
        FunctionCatalog catalog,
        QueueSlots slots,
        QueueMetrics metrics,
        Action capacityIsFree,
        TimeProvider time,
        ILogger logger
    )
    {
        this.definition = definition;
        this.store = store;
        this.delivery = delivery;
        this.catalog = catalog;
        this.slots = slots;
        this.metrics = metrics;
        this.time = time;
        this.logger = logger;
        acknowledger = new QueueAcknowledger(store, definition.Queue, time);
        held = new HeldBatches(slots, batch => _ = DeliverAsync(batch), capacityIsFree, time);
    }

    /// <summary>What it does.</summary>
    public QueueConsumerDefinition Definition => definition;

    /// <summary>Starts.</summary>
    public void Start() => loop = Task.WhenAll(ConsumeAsync(stopping.Token), ExtendAsync(stopping.Token));

    /// <summary>Looks for messages.</summary>
    public void Wake() => signal.Set();

    /// <summary>
    /// Claims no more. Batches that are being delivered go on, and their leases are extended until they end; those that wait are released.
    /// </summary>
    public void Stop() => stopping.Cancel();

    /// <summary>Stops, and completes when the outcome of the last batch is recorded.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!stopping.IsCancellationRequested)
            await stopping.CancelAsync().ConfigureAwait(false);
        if (loop is not null)
            await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task ConsumeAsync(CancellationToken cancellationToken)
    {
        // Whether senders know that this sidecar waits, and it has looked for all messages since.
        var isIdle = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            TimeSpan? pause = null;
            try
            {
                var staysWaiting = isIdle && time.GetElapsedTime(lastFound) >= Quiet;
                var (found, wait) = await ClaimAsync(staysWaiting, cancellationToken).ConfigureAwait(false);
                if (found)
                    lastFound = time.GetTimestamp();
                if (!found || !staysWaiting || hasMore || wait is not null)
                {
                    // After the first look that finds nothing, senders know that this sidecar waits; what was sent before needs a second
                    // look.
                    var needsAnotherLook = found || (!isIdle && wait is null);
                    isIdle = !found && wait is null;
                    if (needsAnotherLook)
                        continue;
                    pause = wait;
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                isIdle = false;
                QueuesLog.ClaimFailed(logger, definition.Queue, PauseAfterFailure, e.Message);
                await Task.Delay(PauseAfterFailure, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }
            await (
                pause is { } shorter ? signal.WaitAsync(shorter, cancellationToken) : signal.WaitAsync(cancellationToken)
            ).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await ReleaseWaitingAsync().ConfigureAwait(false);
    }

    /// <summary>Claims as many batches as there is capacity for and as will soon be needed, and starts their delivery.</summary>
    /// <param name="staysWaiting">Whether senders are to notify this sidecar also if it finds messages.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <returns>Whether there were messages, and when to look again. If there were some and the sidecar stays recorded as waiting, null:
    /// there is no need to look again before a notification.</returns>
    private async Task<(bool Found, TimeSpan? Wait)> ClaimAsync(bool staysWaiting, CancellationToken cancellationToken)
    {
        held.StartWaiting();
        if (await catalog.FindAsync(definition.Function, cancellationToken).ConfigureAwait(false) is not { } function)
            return (false, Later);
        if (!held.IsLow && time.GetElapsedTime(lastClaim) is var elapsed && elapsed < GatherTime)
            return (false, GatherTime - elapsed);
        lastClaim = time.GetTimestamp();
        var capacity = Math.Min(function.Options.Concurrency ?? FunctionAdmission.DefaultConcurrency, slots.Capacity);
        var most = Math.Clamp(MaxClaimed / definition.BatchSize, 1, MaxClaimedBatches);
        // A batch that waits here would count against the consumer's concurrency in all sidecars.
        var (batches, taken) = held.Plan(capacity, most, mayClaimAhead: definition.Concurrency is null);
        if (batches == 0)
        {
            held.Start([], taken);
            return (false, Later);
        }
        var claim = QueueClaim.Nothing;
        try
        {
            var isWhole = since is null || time.GetElapsedTime(lastWholeLook) >= WholeLookInterval;
            if (isWhole)
                lastWholeLook = time.GetTimestamp();
            claim = await store
                .ClaimAsync(definition.Queue, batches, isWhole ? null : since, staysWaiting, cancellationToken)
                .ConfigureAwait(false);
            // Before and while it waits, it looks for all.
            since = staysWaiting ? null : claim.Latest - LateCommits;
        }
        finally
        {
            held.Start(claim.Batches, taken);
        }
        hasMore = claim.Batches.Count == batches;
        var found = claim.Batches.Count > 0;
        return (found, claim.Wait);
    }

    /// <summary>The worker wakes every consumer once in a second in any case.</summary>
    private static TimeSpan Later => TimeSpan.FromSeconds(1);

    private async Task DeliverAsync(QueueBatch batch)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        QueueOutcome outcome;
        try
        {
            outcome = await delivery.DeliverAsync(definition, batch).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // The function can't be loaded, for example because its secrets can't be decrypted. This does not count as an attempt.
            QueuesLog.DeliveryFailed(logger, e, batch.Queue, definition.Function);
            outcome = QueueVerdicts.Release(batch, QueueVerdicts.Unavailable);
        }
        // The next batch does not wait until this outcome is recorded.
        held.Delivered();
        if (hasMore)
            signal.Set();
        await FinishAsync(outcome).ConfigureAwait(false);
        held.Recorded(batch);
        if (definition.Concurrency is not null || definition.IsOrdered)
            signal.Set(); // in the database, this batch held up others
    }

    private async Task ReleaseWaitingAsync()
    {
        foreach (var batch in held.TakeWaiting())
        {
            await FinishAsync(QueueVerdicts.Release(batch, TimeSpan.Zero)).ConfigureAwait(false);
            held.Recorded(batch);
        }
    }

    /// <summary>Records an outcome. Gives up when the lease must have ended: then the messages are delivered again.</summary>
    private async Task FinishAsync(QueueOutcome outcome)
    {
        var began = time.GetTimestamp();
        for (var pause = TimeSpan.FromMilliseconds(50); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                var recorded =
                    outcome.Acknowledged.Count == outcome.Batch.Messages.Count
                        ? await acknowledger.AcknowledgeAsync(outcome.Batch).ConfigureAwait(false)
                        : await store.FinishAsync(outcome, CancellationToken.None).ConfigureAwait(false);
                if (recorded is { } record)
                    metrics.Count(definition.Queue, record);
                else
                    QueuesLog.LeaseLost(logger, outcome.Batch.Messages.Count, definition.Queue);
                return;
            }
            catch (Exception e)
            {
                if (time.GetElapsedTime(began) > definition.Visibility)
                {
                    QueuesLog.OutcomeLost(logger, outcome.Batch.Messages.Count, definition.Queue, e.Message);
                    return;
                }
                QueuesLog.FinishFailed(logger, outcome.Batch.Messages.Count, definition.Queue, pause, e.Message);
                await Task.Delay(pause, time).ConfigureAwait(false);
            }
        }
    }

    private async Task ExtendAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested || !held.IsEmpty)
        {
            // After the stop, it also waits for the last batch.
            var pause = cancellationToken.IsCancellationRequested ? WhileEnding : definition.Visibility / 3;
            await Task.Delay(pause, time, cancellationToken.IsCancellationRequested ? CancellationToken.None : cancellationToken)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (held.Leases is { Length: > 0 } leases)
                    await store.ExtendAsync(leases, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                QueuesLog.ExtensionFailed(logger, definition.Queue, definition.Visibility / 3, e.Message);
            }
        }
    }
}
