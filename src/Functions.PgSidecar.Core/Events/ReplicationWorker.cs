using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Replication;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Sees to it that one sidecar reads the WAL: this one, when nobody else does. The server gives the slot to one connection only; that is the
/// election. A reader that is silent too long loses it. What can't be mended without losing something becomes an incident.
/// </summary>
internal sealed class ReplicationWorker(
    ReplicationStore store,
    WalFeed feed,
    EventDispatcher dispatcher,
    InboxRoom room,
    EventMetrics metrics,
    WalWatch watch,
    TimeProvider time,
    ILogger<ReplicationWorker> logger)
    : BackgroundService, IFeedSink
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan StandBy = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim signal = new(0, 1);
    private string slot = "";
    private long epoch;
    private bool following;

    /// <summary>Triggers were created or dropped, or an incident was closed.</summary>
    public void Wake()
    {
        if (signal.CurrentCount == 0)
            signal.Release();
    }

    /// <inheritdoc/>
    public bool Reserve(string function, int trigger, int bytes) => dispatcher.TryReserve(function, bytes);

    /// <inheritdoc/>
    public void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left)
    {
        dispatcher.Accept(deliveries);
        if (left.Count > 0)
            dispatcher.LeftBehind(left);
    }

    /// <inheritdoc/>
    public void Forget(IReadOnlyList<(string Function, int Bytes)> reserved)
    {
        foreach (var (function, bytes) in reserved)
            dispatcher.Release(function, bytes);
    }

    /// <inheritdoc/>
    public ValueTask WaitForRoomAsync(CancellationToken cancellationToken) => room.WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public void Leading(long newEpoch)
    {
        epoch = newEpoch;
        following = false;
        metrics.Leads = true;
        metrics.Incident = null;
        EventsLog.Leading(logger, slot, newEpoch);
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
                // A reader that was well for a while starts again at once; one that fails again and again takes its time.
                if (time.GetElapsedTime(began) > LongestPause)
                    pause = FirstPause;
                if (!IsTaken(e))
                    await TellAsync(e, pause, stoppingToken).ConfigureAwait(false);
                await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            }
            finally
            {
                metrics.Leads = false;
            }
        }
    }

    private async Task TellAsync(Exception reason, TimeSpan pause, CancellationToken cancellationToken)
    {
        watch.IsNotRead(reason.Message);
        EventsLog.FeedEnded(logger, pause, reason.Message);
        try
        {
            await store.ReportAsync("retrying", reason.Message, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The database is away, which is what the reason says as well.
            EventsLog.UpkeepFailed(logger, e.Message);
        }
    }

    private async Task StepAsync(CancellationToken cancellationToken)
    {
        var status = await store.InspectAsync(cancellationToken).ConfigureAwait(false);
        slot = status.Slot;
        if (!status.IsReadFor)
        {
            if (status is { SlotExists: true, ActivePid: null } && await store.DropUnusedSlotAsync(cancellationToken).ConfigureAwait(false))
                EventsLog.SlotDropped(logger);
            metrics.Incident = null;
            watch.IsRead();
            await store.ReportAsync("idle", "There are no triggers.", cancellationToken).ConfigureAwait(false);
            await RestAsync(LongestPause, cancellationToken).ConfigureAwait(false);
        }
        else if (Missing(status) is { } missing)
        {
            if (await store.OpenIncidentAsync(missing.Kind, missing.Message, cancellationToken).ConfigureAwait(false))
                EventsLog.Incident(logger, missing.Kind, missing.Message);
            metrics.Incident = missing.Message;
            await store.ReportAsync(missing.Kind, missing.Message, cancellationToken).ConfigureAwait(false);
            await RestAsync(StandBy, cancellationToken).ConfigureAwait(false);
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

    /// <summary>What makes reading on impossible without a gap.</summary>
    private static (string Kind, string Message)? Missing(ReplicationStatus status) => status switch
    {
        { SlotExists: false } => ("slot_missing",
            $"The replication slot {status.Slot} is gone: changes since then have not fired functions. select functions.recreate_slot(); starts anew from now; then functions.backfill what was missed."),
        { IsLost: true } => ("slot_lost",
            $"The server has thrown away WAL that was not read (max_slot_wal_keep_size): changes since then have not fired functions. select functions.recreate_slot(); starts anew from now; then functions.backfill what was missed."),
        { PublicationExists: false } => ("publication_missing",
            "The publication functions_events or functions_events_changes is gone: changes can't be read. select functions.recreate_slot(); makes it again and starts anew from now; then functions.backfill what was missed."),
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
            EventsLog.TakingOver(logger, ReplicationStore.LeaderPatience, pid);
            await store.TerminateAsync(pid, cancellationToken).ConfigureAwait(false);
            await RestAsync(FirstPause, cancellationToken).ConfigureAwait(false);
            return;
        }
        watch.IsRead();
        await RestAsync(StandBy, cancellationToken).ConfigureAwait(false);
    }

    private async Task LeadAsync(CancellationToken cancellationToken)
    {
        epoch = 0;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var beating = BeatAsync(ending);
        try
        {
            await EndsAsync(feed.RunAsync(slot, this, ending.Token), ending.Token).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedObject && !feed.ReadsBeforeChanges)
        {
            // The publication did not exist when some change was made that is still to be read.
            var message = $"Changes can't be read: {e.MessageText}. select functions.recreate_slot(); starts anew from now; then functions.backfill what was missed.";
            if (await store.OpenIncidentAsync("publication_missing", message, cancellationToken).ConfigureAwait(false))
                EventsLog.Incident(logger, "publication_missing", message);
            metrics.Incident = message;
            await store.ReportAsync("publication_missing", message, cancellationToken).ConfigureAwait(false);
            await RestAsync(StandBy, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // BeatAsync ended the reading: the next step finds out who reads now, if anybody has to.
            EventsLog.StoppedReading(logger);
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            await beating.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Waits for the end of the reading. One that was called off and does not end, because its connection never tells it that it is lost, is left
    /// behind: what it might still store is fenced by the epoch of the next.
    /// </summary>
    private async Task EndsAsync(Task reading, CancellationToken ending)
    {
        var calledOff = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = ending.Register(calledOff.SetResult).ConfigureAwait(false);
        if (await Task.WhenAny(reading, calledOff.Task).ConfigureAwait(false) != reading)
            await reading.WaitAsync(EndPatience, time, CancellationToken.None).ConfigureAwait(false);
        await reading.ConfigureAwait(false);
    }

    /// <summary>
    /// Says that the reader lives; ends its reading when another one has taken its place, when the server serves it no more, or when there is nothing
    /// left to read for.
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
                var full = room.Full;
                var leads = await store.BeatAsync(epoch, full is null ? "streaming" : "paused", full, ending.Token).ConfigureAwait(false);
                var status = await store.InspectAsync(ending.Token).ConfigureAwait(false);
                if (leads && status.ActivePid is not null)
                    watch.IsRead();
                if (!leads || !status.IsReadFor || status.ActivePid is null)
                    await ending.CancelAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (!ending.IsCancellationRequested)
            {
                EventsLog.UpkeepFailed(logger, e.Message);
            }
        }
    }

    private async Task RestAsync(TimeSpan pause, CancellationToken cancellationToken) =>
        await signal.WaitAsync(pause, cancellationToken).ConfigureAwait(false);

    /// <summary>Another sidecar was quicker: no reason for a warning.</summary>
    private static bool IsTaken(Exception exception) => exception is PostgresException { SqlState: PostgresErrorCodes.ObjectInUse };
}
