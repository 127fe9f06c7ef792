namespace Functions.PgSidecar.Core.Schedules;

/// <summary>What a due schedule does now: the runs to record, and the time that follows.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Following">Its next time; null if it has none. May have come already: then the rest is done by the next tick.</param>
/// <param name="Runs">The runs, oldest first.</param>
internal sealed record TickPlan(DueSchedule Schedule, DateTimeOffset? Following, IReadOnlyList<PlannedRun> Runs)
{
    /// <summary>The most times of a schedule that are handled at once.</summary>
    public const int MaxTimes = 1000;

    /// <summary>The most missed times that get a row each; more of them share one row.</summary>
    private const int MaxMissedRows = 100;

    /// <summary>
    /// A run that begins later than this catches up. Earlier ones are on time: the database was busy, or a sidecar was restarted.
    /// </summary>
    private static readonly TimeSpan OnTime = TimeSpan.FromMinutes(1);

    /// <summary>Whether this sidecar has reserved capacity for the run, and takes it when it is recorded.</summary>
    public bool IsReserved { get; init; }

    /// <summary>Decides, by the server's time only. What is not due yet is planned as of the moment at which it will be.</summary>
    /// <param name="schedule">The due schedule.</param>
    /// <param name="times">Its times; null if it runs once.</param>
    public static TickPlan Make(DueSchedule schedule, CronSchedule? times)
    {
        if (schedule.Now < schedule.DueAt)
            schedule = schedule with { Now = schedule.DueAt };
        var passed = new List<DateTimeOffset> { schedule.NextTime };
        var following = FollowingTime(schedule, times, schedule.NextTime);
        while (passed.Count < MaxTimes && following is { } next && next + schedule.Jitter <= schedule.Now)
        {
            passed.Add(next);
            following = FollowingTime(schedule, times, next);
        }
        var isBehind = following is { } rest && rest + schedule.Jitter <= schedule.Now;
        var firstRun = FirstRun(schedule, passed, isBehind);
        var runs = Missed(passed.GetRange(0, firstRun));
        runs.AddRange(passed.Skip(firstRun).Select(time => new PlannedRun(time, Cause(schedule, time))));
        return new TickPlan(schedule, following, runs);
    }

    /// <summary>Index of the first time that runs; those before it are missed.</summary>
    private static int FirstRun(DueSchedule schedule, List<DateTimeOffset> passed, bool isBehind)
    {
        var oldest = schedule.Now - schedule.Jitter - schedule.CatchUpWindow;
        if (schedule.CatchesUpAll)
            return passed.FindIndex(time => time >= oldest) is var index and >= 0 ? index : passed.Count;
        // Only the newest of all runs.
        return !isBehind && passed[^1] >= oldest ? passed.Count - 1 : passed.Count;
    }

    private static List<PlannedRun> Missed(List<DateTimeOffset> times) =>
        times.Count > MaxMissedRows
            ? [new PlannedRun(times[0], RunCause.Missed, times.Count)]
            : [.. times.Select(static time => new PlannedRun(time, RunCause.Missed))];

    private static RunCause Cause(DueSchedule schedule, DateTimeOffset time) =>
        schedule.Now - schedule.Jitter - time > OnTime ? RunCause.CatchUp : RunCause.Time;

    private static DateTimeOffset? FollowingTime(DueSchedule schedule, CronSchedule? times, DateTimeOffset time) =>
        times?.Next(time) is { } next && (schedule.EndsAt is not { } end || next <= end) ? next : null;
}

/// <summary>A run to record.</summary>
/// <param name="Time">Its time.</param>
/// <param name="Cause">Why it is recorded.</param>
/// <param name="Times">How many times it stands for: this one and those after it.</param>
internal readonly record struct PlannedRun(DateTimeOffset Time, RunCause Cause, int Times = 1);

/// <summary>Why a run is recorded.</summary>
internal enum RunCause
{
    /// <summary>Its time has come.</summary>
    Time,

    /// <summary>Its time came while no sidecar was there.</summary>
    CatchUp,

    /// <summary>It does not run: its time was too long ago, or a newer one has come.</summary>
    Missed,
}
