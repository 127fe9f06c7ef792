using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Notifications;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Schedules;

/// <summary>
/// Fires schedules. Every sidecar sleeps until the next one is due, by the server's clock, and records its run; the first one to do so
/// fires it.
/// </summary>
internal sealed class ScheduleWorker(
    ScheduleStore store,
    CronScheduleCache times,
    CancellableDeliveries deliveries,
    EventDispatcher dispatcher,
    ScheduleMetrics metrics,
    TimeProvider time,
    ILogger<ScheduleWorker> logger
) : BackgroundService, INotificationHandler, IEventProducer
{
    /// <summary>The channel: <c>changed</c>, or <c>cancel</c> and the id of an event.</summary>
    private const string Channel = "functions_schedules";

    /// <summary>
    /// The most schedules that are recorded in one transaction when they are late: the first functions start while the others are recorded.
    /// </summary>
    private const int MaxFired = 200;

    /// <summary>How long recording takes, in milliseconds, about: of any number of schedules, and of each of them besides.</summary>
    private const double RecordingMs = 20;
    private const double RecordingMsEach = 0.15;

    private const string CancelPrefix = "cancel ";

    /// <summary>Longest sleep, in case a notification is lost or the server's clock is set. One look-up in an index.</summary>
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(1);

    /// <summary>How long before they are due schedules are read and planned.</summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(500);

    /// <summary>Plans that wait longer than they were meant to are made again.</summary>
    private static readonly TimeSpan LongestStandstill = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);

    /// <summary>For schedules that another session is changing.</summary>
    private static readonly TimeSpan PauseOfLocked = TimeSpan.FromMilliseconds(200);

    /// <summary>For schedules that can't be computed here; another sidecar may be able to.</summary>
    private static readonly TimeSpan PauseOfBroken = TimeSpan.FromMinutes(1);

    private readonly WakeSignal signal = new();

    /// <summary>Schedules to leave out, and the timestamp until then.</summary>
    private readonly Dictionary<string, long> postponed = new(StringComparer.Ordinal);

    /// <summary>Due times that were not recorded at the last tick: by another sidecar, or the row is locked.</summary>
    private readonly HashSet<(string, DateTimeOffset)> unrecorded = [];

    /// <inheritdoc/>
    public EventProducerStage Stage => EventProducerStage.Source;

    /// <inheritdoc/>
    public string ChannelName => Channel;

    /// <inheritdoc/>
    public void Notified(string payload)
    {
        if (!payload.StartsWith(CancelPrefix, StringComparison.Ordinal))
            signal.Set();
        else if (Guid.TryParse(payload.AsSpan(CancelPrefix.Length), out var id) && dispatcher.Holds(id))
            deliveries.Cancel(id);
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening) => signal.Set();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = PauseAfterFailure;
            try
            {
                pause = await TickAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                SchedulesLog.TickFailed(logger, pause, e.Message);
            }
            // Rounded up: a timer has milliseconds, and waking too early costs a round trip.
            pause = TimeSpan.FromMilliseconds(Math.Ceiling(Math.Clamp(pause.TotalMilliseconds, 0, LongestSleep.TotalMilliseconds)));
            if (pause > TimeSpan.Zero)
                await signal.WaitAsync(pause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Fires what is due. What will soon be due is planned and recorded before, so that only the commit is left to do at its time.
    /// </summary>
    /// <returns>How long until there is something to do again.</returns>
    private async Task<TimeSpan> TickAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var (due, wait) = await store.DueAsync(Postponed(), Ahead, cancellationToken).ConfigureAwait(false);
        if (due.Count == 0)
            return wait is { } rest ? rest - Ahead : LongestSleep;
        PostponeLocked(due);
        var plans = due.TakeWhile(schedule => schedule.DueAt <= schedule.Now || schedule.DueAt == due[0].DueAt)
            .Select(Plan)
            .OfType<TickPlan>()
            .ToList();
        // Counted from before the server was asked: too early rather than too late. The server waits for the rest.
        var remaining = due[0].DueAt > due[0].Now ? due[0].DueAt - due[0].Now : TimeSpan.Zero;
        var recording = TimeSpan.FromMilliseconds(RecordingMs + RecordingMsEach * plans.Count);
        var pause = remaining - recording - time.GetElapsedTime(began);
        if (pause > TimeSpan.Zero && await signal.TryWaitAsync(pause, cancellationToken).ConfigureAwait(false))
            return TimeSpan.Zero; // something was changed
        var elapsed = time.GetElapsedTime(began);
        if (elapsed > remaining + LongestStandstill)
            return TimeSpan.Zero; // the process stood still: the plans are of the past
        unrecorded.Clear();
        if (elapsed < remaining)
            plans = await FireEarlyAsync(plans, cancellationToken).ConfigureAwait(false);
        foreach (var part in plans.Chunk(MaxFired))
        {
            var advanced = Count(part, await FireAsync(part, early: false, cancellationToken).ConfigureAwait(false));
            unrecorded.UnionWith(
                part.Where(plan => !advanced.Contains(plan.Schedule.Name)).Select(plan => (plan.Schedule.Name, plan.Schedule.NextTime))
            );
        }
        return TimeSpan.Zero;
    }

    /// <summary>Fires plans of one due time that is about to come: all in one transaction, which is committed at that time.</summary>
    /// <returns>Those that were not fired: by this sidecar, or not early.</returns>
    private async Task<List<TickPlan>> FireEarlyAsync(List<TickPlan> plans, CancellationToken cancellationToken)
    {
        var advanced = Count(plans, await FireAsync(plans, early: true, cancellationToken).ConfigureAwait(false));
        return [.. plans.Where(plan => !advanced.Contains(plan.Schedule.Name))];
    }

    private async Task<TickResult> FireAsync(IReadOnlyList<TickPlan> plans, bool early, CancellationToken cancellationToken)
    {
        var reserved = new List<(string Function, int Bytes)>();
        try
        {
            var result = await store.FireAsync([.. plans.Select(Reserve)], early, cancellationToken).ConfigureAwait(false);
            dispatcher.Take(result.Taken);
            if (result.Fired > result.Taken.Count)
                dispatcher.Wake(); // sooner than by the notification
            return result;
        }
        finally
        {
            dispatcher.Forget(reserved);
        }

        // A claim would cost another round trip, after the schedule is due.
        TickPlan Reserve(TickPlan plan)
        {
            var (function, bytes) = (plan.Schedule.Function, plan.Schedule.PayloadBytes);
            if (plan.Runs is not [{ Cause: not RunCause.Missed }] || !dispatcher.Reserve(function, bytes))
                return plan;
            reserved.Add((function, bytes));
            return plan with { IsReserved = true };
        }
    }

    /// <summary>Counts what was fired.</summary>
    /// <returns>The schedules whose next time was recorded.</returns>
    private HashSet<string> Count(IReadOnlyList<TickPlan> plans, TickResult result)
    {
        var advanced = result.Advanced.ToHashSet(StringComparer.Ordinal);
        metrics.Record(
            result,
            plans.Where(plan => advanced.Contains(plan.Schedule.Name)).Select(plan => result.FiredAt - plan.Schedule.DueAt)
        );
        if (result.Missed > 0)
            SchedulesLog.Missed(logger, result.Missed);
        return advanced;
    }

    private TickPlan? Plan(DueSchedule schedule)
    {
        try
        {
            return TickPlan.Make(schedule, times.Find(schedule));
        }
        catch (Exception e) when (e is TimeZoneNotFoundException or InvalidTimeZoneException or Cronos.CronFormatException)
        {
            SchedulesLog.CannotCompute(logger, schedule.Name, PauseOfBroken, e.Message);
            Postpone(schedule.Name, PauseOfBroken);
            return null;
        }
    }

    /// <summary>A schedule that is due for the second time at the same time is locked by a session that changes it.</summary>
    private void PostponeLocked(IReadOnlyList<DueSchedule> due)
    {
        foreach (var schedule in due)
        {
            if (unrecorded.Contains((schedule.Name, schedule.NextTime)))
                Postpone(schedule.Name, PauseOfLocked);
        }
    }

    private void Postpone(string schedule, TimeSpan pause) =>
        postponed[schedule] = time.GetTimestamp() + (long)(pause.TotalSeconds * time.TimestampFrequency);

    private Dictionary<string, long>.KeyCollection Postponed()
    {
        var now = time.GetTimestamp();
        foreach (var (name, until) in postponed)
        {
            if (until <= now)
                postponed.Remove(name);
        }
        return postponed.Keys;
    }
}
