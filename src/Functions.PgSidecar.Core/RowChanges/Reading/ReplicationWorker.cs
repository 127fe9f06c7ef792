using System.Data.Common;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Core.Registry;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>
/// Ensures that one sidecar reads the WAL: this one, if no other does. The server gives the slot to one connection only, which decides the
/// election. A reader that sends no heartbeat for too long loses it. A failure that can't be repaired without losing changes becomes an
/// incident.
/// </summary>
internal sealed class ReplicationWorker(
    ReplicationStore store,
    SlotStore slots,
    EventsOptions options,
    SidecarIdentity identity,
    WalFeed feed,
    EventDispatcher dispatcher,
    InboxCapacity capacity,
    EventMetrics metrics,
    WalReaderHealth health,
    TimeProvider time,
    ILogger<ReplicationWorker> logger
) : BackgroundService, IFeedOwner, INotificationHandler, IEventProducer
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StandBy = TimeSpan.FromSeconds(1);

    /// <summary>How often a sidecar that does not read looks whether the reader's session has ended; one short query each time.</summary>
    private static readonly TimeSpan FollowInterval = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan ReadingEndTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long a start waits for the slot. Open transactions delay its creation; the sidecar then continues without it.</summary>
    private static readonly TimeSpan SlotTimeoutAtStart = TimeSpan.FromSeconds(3);

    /// <summary>The timeout of each later attempt. No one waits for it, because nothing depends on the slot before it exists.</summary>
    private static readonly TimeSpan SlotTimeout = TimeSpan.FromSeconds(60);

    private const string NoTriggers = "There are no triggers.";

    private readonly WakeSignal signal = new();
    private string? noSlotReason;
    private long advancedAt = time.GetTimestamp();
    private TimeSpan advancePause = TimeSpan.Zero;
    private string slot = "";
    private long epoch;
    private bool following;

    /// <inheritdoc/>
    public EventProducerStage Stage => EventProducerStage.Source;

    /// <inheritdoc/>
    public string ChannelName => EventChannel.Name;

    /// <inheritdoc/>
    public void Notified(string payload)
    {
        if (payload == EventChannel.Triggers)
            signal.Set();
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => signal.Set();

    /// <inheritdoc/>
    public ValueTask WaitForCapacityAsync(CancellationToken cancellationToken) => capacity.WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public void Leading(long newEpoch)
    {
        epoch = newEpoch;
        following = false;
        metrics.Leads = true;
        metrics.Incident = null;
        EventsLog.Leading(logger, slot, newEpoch);
    }

    /// <summary>Creates the slot at the start, so that once the sidecar serves, any transaction can create the first trigger.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            var status = await store.InspectAsync(cancellationToken).ConfigureAwait(false);
            if (status is { IsReadFor: false, SlotExists: false })
                await MaintainIdleSlotAsync(status, SlotTimeoutAtStart, cancellationToken).ConfigureAwait(false);
        }
        catch (DbException e)
        {
            EventsLog.MaintenanceFailed(logger, e.Message);
        }
        await base.StartAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Without triggers, nothing would be read from the slot again: the last sidecar drops it, so that no WAL is retained.
    /// </summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(SlotTimeoutAtStart);
        try
        {
            if (slot.Length > 0 && await slots.DropUnusedAsync(slot, identity.Id, timeout.Token).ConfigureAwait(false))
                EventsLog.SlotDropped(logger);
        }
        catch (Exception e)
        {
            EventsLog.MaintenanceFailed(logger, e.Message);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var pause = FirstPause;
        while (!stoppingToken.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                await StepAsync(stoppingToken).ConfigureAwait(false);
                pause = FirstPause;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // A reader that worked for a while restarts at once; one that fails repeatedly backs off.
                if (time.GetElapsedTime(began) > LongestPause)
                    pause = FirstPause;
                if (e is not SlotInUseException) // which deserves no warning
                    await ReportFailureAsync(e, pause, stoppingToken).ConfigureAwait(false);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            }
            finally
            {
                metrics.Leads = false;
            }
        }
    }

    private async Task ReportFailureAsync(Exception reason, TimeSpan pause, CancellationToken cancellationToken)
    {
        health.ReportNotRead(reason.Message);
        EventsLog.FeedEnded(logger, pause, reason.Message);
        try
        {
            await store.ReportAsync("retrying", reason.Message, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The database is unavailable, which is also what the reason says.
            EventsLog.MaintenanceFailed(logger, e.Message);
        }
    }

    private async Task StepAsync(CancellationToken cancellationToken)
    {
        var status = await store.InspectAsync(cancellationToken).ConfigureAwait(false);
        slot = status.Slot;
        if (!status.IsReadFor)
        {
            metrics.Incident = null;
            health.ReportRead();
            var noSlot = await MaintainIdleSlotAsync(status, SlotTimeout, cancellationToken).ConfigureAwait(false);
            await store.ReportAsync("idle", NoTriggers + noSlot, cancellationToken).ConfigureAwait(false);
            await PauseAsync(LongestPause, cancellationToken).ConfigureAwait(false);
        }
        else if (Missing(status) is { } missing)
        {
            if (await store.OpenIncidentAsync(missing.Kind, missing.Message, null, cancellationToken).ConfigureAwait(false))
                EventsLog.Incident(logger, missing.Kind, missing.Message);
            metrics.Incident = missing.Message;
            await store.ReportAsync(missing.Kind, missing.Message, cancellationToken).ConfigureAwait(false);
            await PauseAsync(StandBy, cancellationToken).ConfigureAwait(false);
        }
        else if (status.ActivePid is { } pid)
        {
            await FollowAsync(status, pid, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await LeadAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// While there are no triggers: either the slot exists, so that any transaction can create the first trigger, and retains no WAL; or it
    /// does not exist at all.
    /// </summary>
    /// <returns>A message about a slot that can't be created, or null.</returns>
    private async Task<string?> MaintainIdleSlotAsync(ReplicationStatus status, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var exists = status.SlotExists;
        if (status.ActivePid is not null)
            return null;
        if (exists && (!options.KeepSlot || status.IsLost))
        {
            exists = !await slots.DropUnusedAsync(status.Slot, unlessServed: null, cancellationToken).ConfigureAwait(false);
            if (!exists)
                EventsLog.SlotDropped(logger);
        }
        if (!options.KeepSlot)
            return null;
        if (exists)
        {
            await AdvanceAsync(status.Slot, cancellationToken).ConfigureAwait(false);
            return null;
        }
        if (await slots.CreateAsync(status.Slot, timeout, cancellationToken).ConfigureAwait(false) is not { } reason)
        {
            EventsLog.SlotMade(logger, status.Slot);
            noSlotReason = null;
            return null;
        }
        if (noSlotReason != reason)
            EventsLog.SlotNotMade(logger, status.Slot, reason);
        noSlotReason = reason;
        return $" The slot that the first trigger needs can't be created yet: {reason}";
    }

    /// <summary>
    /// With a long transaction open, the server processes the same WAL each time; that may take at most a twentieth of the time.
    /// </summary>
    private async Task AdvanceAsync(string idle, CancellationToken cancellationToken)
    {
        if (time.GetElapsedTime(advancedAt) < advancePause)
            return;
        var began = time.GetTimestamp();
        var repeated = await slots.AdvanceAsync(idle, cancellationToken).ConfigureAwait(false);
        advancedAt = time.GetTimestamp();
        advancePause = time.GetElapsedTime(began, advancedAt) * (20 * repeated);
    }

    /// <summary>The reason why reading can't continue without a gap, or null.</summary>
    private static (string Kind, string Message)? Missing(ReplicationStatus status) =>
        status switch
        {
            { SlotExists: false } => (
                "slot_missing",
                $"The replication slot {status.Slot} no longer exists, so later changes have not fired functions. Run select "
                    + "functions.recreate_slot(); to start again from now, then functions.backfill for what was missed."
            ),
            { IsLost: true } => (
                "slot_lost",
                "The server removed WAL that was not read (max_slot_wal_keep_size), so later changes have not fired functions. Run select "
                    + "functions.recreate_slot(); to start again from now, then functions.backfill for what was missed."
            ),
            { PublicationExists: false } => (
                "publication_missing",
                "The publication functions_events or functions_events_changes no longer exists, so changes can't be read. Run select "
                    + "functions.recreate_slot(); to recreate it and start again from now, then functions.backfill for what was missed."
            ),
            _ => null,
        };

    private async Task FollowAsync(ReplicationStatus status, int pid, CancellationToken cancellationToken)
    {
        metrics.Incident = null;
        if (!following)
            EventsLog.Following(logger);
        following = true;
        if (status.LeaderIsStale)
        {
            EventsLog.TakingOver(logger, ReplicationStore.LeaderTimeout, pid);
            await store.TerminateAsync(pid, cancellationToken).ConfigureAwait(false);
            await PauseAsync(FirstPause, cancellationToken).ConfigureAwait(false);
            return;
        }
        health.ReportRead();
        await PauseAsync(FollowInterval, cancellationToken).ConfigureAwait(false);
    }

    private async Task LeadAsync(CancellationToken cancellationToken)
    {
        epoch = 0;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var beating = BeatAsync(ending);
        try
        {
            await EndsAsync(feed.RunAsync(slot, dispatcher, this, ending.Token), ending.Token).ConfigureAwait(false);
        }
        catch (PublicationMissingException e)
        {
            var message =
                $"Changes can't be read: {e.Message}. Run select functions.recreate_slot(); to start again from now, then "
                + "functions.backfill for what was missed.";
            if (await store.OpenIncidentAsync("publication_missing", message, e.Since, cancellationToken).ConfigureAwait(false))
                EventsLog.Incident(logger, "publication_missing", message);
            metrics.Incident = message;
            await store.ReportAsync("publication_missing", message, cancellationToken).ConfigureAwait(false);
            await PauseAsync(StandBy, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // BeatAsync ended the reading; the next step finds out who reads now, if a reader is needed.
            EventsLog.StoppedReading(logger);
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            await beating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Waits for the reading to end. If it was cancelled and does not end, because its connection does not notice that it is lost, it is
    /// abandoned. What it might still store is fenced by the next epoch.
    /// </summary>
    private async Task EndsAsync(Task reading, CancellationToken ending)
    {
        var calledOff = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = ending.Register(calledOff.SetResult).ConfigureAwait(false);
        if (await Task.WhenAny(reading, calledOff.Task).ConfigureAwait(false) != reading)
            await reading.WaitAsync(ReadingEndTimeout, time, CancellationToken.None).ConfigureAwait(false);
        await reading.ConfigureAwait(false);
    }

    /// <summary>
    /// Sends the reader's heartbeat. Ends the reading when another sidecar has taken over, when the server no longer serves it, or when
    /// there is nothing left to read for.
    /// </summary>
    private async Task BeatAsync(CancellationTokenSource ending)
    {
        using var timer = new PeriodicTimer(ReplicationStore.BeatInterval, time);
        while (await timer.WaitForNextTickAsync(ending.Token).ConfigureAwait(false))
        {
            try
            {
                if (epoch == 0)
                    continue;
                var full = capacity.Full;
                var leads = await store.BeatAsync(epoch, full is null ? "streaming" : "paused", full, ending.Token).ConfigureAwait(false);
                var status = await store.InspectAsync(ending.Token).ConfigureAwait(false);
                if (leads && status.ActivePid is not null)
                    health.ReportRead();
                if (!leads || !status.IsReadFor || status.ActivePid is null)
                    await ending.CancelAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (!ending.IsCancellationRequested)
            {
                EventsLog.MaintenanceFailed(logger, e.Message);
            }
        }
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken cancellationToken) =>
        await signal.WaitAsync(pause, cancellationToken).ConfigureAwait(false);
}
