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
    /// The most schedules that are recorded at once. Of a thousand that are due together, the first functions start while the others are
    /// recorded.
    /// </summary>
    private const int MaxFired = 200;

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
    /// Fires what is due. What will soon be due is planned before, so that only the record is left to do at its time.
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
        var pause = remaining - time.GetElapsedTime(began);
        if (pause > TimeSpan.Zero && await signal.TryWaitAsync(pause, cancellationToken).ConfigureAwait(false))
            return TimeSpan.Zero; // something was changed
        if (time.GetElapsedTime(began) > remaining + LongestStandstill)
            return TimeSpan.Zero; // the process stood still: the plans are of the past
        unrecorded.Clear();
        foreach (var part in plans.Chunk(MaxFired))
            await FireAsync(part, cancellationToken).ConfigureAwait(false);
        return TimeSpan.Zero;
    }

    private async Task FireAsync(TickPlan[] plans, CancellationToken cancellationToken)
    {
        var result = await store.FireAsync(plans, cancellationToken).ConfigureAwait(false);
        if (result.Fired > 0)
            dispatcher.Wake(); // sooner than by the notification
        var advanced = result.Advanced.ToHashSet(StringComparer.Ordinal);
        unrecorded.UnionWith(
            plans.Where(plan => !advanced.Contains(plan.Schedule.Name)).Select(plan => (plan.Schedule.Name, plan.Schedule.NextTime))
        );
        metrics.Record(
            result,
            plans.Where(plan => advanced.Contains(plan.Schedule.Name)).Select(plan => result.FiredAt - plan.Schedule.DueAt)
        );
        if (result.Missed > 0)
            SchedulesLog.Missed(logger, result.Missed);
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
