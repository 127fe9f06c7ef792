using Functions.PgSidecar.Core.Schedules;

namespace Functions.PgSidecar.Tests.Unit.Schedules;

/// <summary>What a due schedule does: which of the times that have passed run, and which are missed.</summary>
public sealed class TickPlanTests
{
    private static readonly DateTimeOffset Noon = new(2026, 6, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly CronSchedule EveryMinute = new(["0 * * * * *"], keepsInterval: true, TimeZoneInfo.Utc);
    private static readonly CronSchedule EverySecond = new(["* * * * * *"], keepsInterval: true, TimeZoneInfo.Utc);

    [Fact]
    public void A_time_that_has_just_come_runs_and_the_next_one_follows()
    {
        var plan = TickPlan.Make(Due(Noon, Noon.AddMilliseconds(3)), EveryMinute);

        Assert.Equal([new PlannedRun(Noon, RunCause.Time)], plan.Runs);
        Assert.Equal(Noon.AddMinutes(1), plan.Following);
    }

    [Fact]
    public void After_an_outage_without_catch_up_the_newest_time_runs_if_it_is_at_most_a_minute_ago()
    {
        var plan = TickPlan.Make(Due(Noon, Noon.AddMinutes(3).AddSeconds(30)), EveryMinute);

        Assert.Equal(
            [Missed(Noon), Missed(Noon.AddMinutes(1)), Missed(Noon.AddMinutes(2)), new PlannedRun(Noon.AddMinutes(3), RunCause.Time)],
            plan.Runs
        );
    }

    [Fact]
    public void A_time_outside_the_window_is_missed()
    {
        var daily = new CronSchedule(["0 0 12 * * *"], keepsInterval: false, TimeZoneInfo.Utc);

        Assert.Equal([Missed(Noon)], TickPlan.Make(Due(Noon, Noon.AddSeconds(61)), daily).Runs);
        Assert.Equal([new PlannedRun(Noon, RunCause.Time)], TickPlan.Make(Due(Noon, Noon.AddSeconds(60)), daily).Runs);
    }

    [Fact]
    public void Catching_up_the_last_runs_the_newest_time_within_the_window()
    {
        var schedule = Due(Noon, Noon.AddHours(2).AddMinutes(30)) with { CatchUpWindow = TimeSpan.FromDays(1) };
        var hourly = new CronSchedule(["0 0 * * * *"], keepsInterval: true, TimeZoneInfo.Utc);

        Assert.Equal(
            [Missed(Noon), Missed(Noon.AddHours(1)), new PlannedRun(Noon.AddHours(2), RunCause.CatchUp)],
            TickPlan.Make(schedule, hourly).Runs
        );
    }

    [Fact]
    public void Catching_up_all_runs_each_time_within_the_window()
    {
        var schedule = Due(Noon, Noon.AddMinutes(3)) with { CatchUpWindow = TimeSpan.FromMinutes(2), CatchesUpAll = true };

        Assert.Equal(
            [
                Missed(Noon),
                new PlannedRun(Noon.AddMinutes(1), RunCause.CatchUp),
                new PlannedRun(Noon.AddMinutes(2), RunCause.Time),
                new PlannedRun(Noon.AddMinutes(3), RunCause.Time),
            ],
            TickPlan.Make(schedule, EveryMinute).Runs
        );
    }

    [Fact]
    public void A_long_outage_is_worked_off_in_parts_and_many_missed_times_share_a_row()
    {
        var now = Noon.AddSeconds(1500.5);
        var first = TickPlan.Make(Due(Noon, now), EverySecond);

        Assert.Equal([new PlannedRun(Noon, RunCause.Missed, TickPlan.MaxTimes)], first.Runs);
        Assert.Equal(Noon.AddSeconds(TickPlan.MaxTimes), first.Following);

        var second = TickPlan.Make(Due(first.Following!.Value, now), EverySecond);

        Assert.Equal(
            [new PlannedRun(Noon.AddSeconds(1000), RunCause.Missed, 500), new PlannedRun(Noon.AddSeconds(1500), RunCause.Time)],
            second.Runs
        );
        Assert.Equal(Noon.AddSeconds(1501), second.Following);
    }

    [Fact]
    public void Jitter_delays_when_a_time_has_come_and_not_the_time()
    {
        var schedule = Due(Noon, Noon.AddSeconds(70)) with { Jitter = TimeSpan.FromSeconds(30) };

        var plan = TickPlan.Make(schedule, EveryMinute);

        Assert.Equal([new PlannedRun(Noon, RunCause.Time)], plan.Runs);
        Assert.Equal(Noon.AddMinutes(1), plan.Following);
        Assert.Equal(Noon.AddSeconds(30), schedule.DueAt);
    }

    [Fact]
    public void A_time_that_is_about_to_come_is_planned_as_of_that_time()
    {
        var plan = TickPlan.Make(Due(Noon, Noon.AddMilliseconds(-400)), EveryMinute);

        Assert.Equal([new PlannedRun(Noon, RunCause.Time)], plan.Runs);
        Assert.Equal(Noon.AddMinutes(1), plan.Following);
    }

    [Fact]
    public void Nothing_follows_the_end_and_a_single_run()
    {
        Assert.Null(TickPlan.Make(Due(Noon, Noon) with { EndsAt = Noon.AddSeconds(59) }, EveryMinute).Following);
        Assert.Equal(Noon.AddMinutes(1), TickPlan.Make(Due(Noon, Noon) with { EndsAt = Noon.AddMinutes(1) }, EveryMinute).Following);
        Assert.Null(TickPlan.Make(Due(Noon, Noon), null).Following);
    }

    private static PlannedRun Missed(DateTimeOffset time) => new(time, RunCause.Missed);

    private static DueSchedule Due(DateTimeOffset time, DateTimeOffset now) =>
        new()
        {
            Function = "f",
            Name = "s",
            Version = 1,
            NextTime = time,
            Now = now,
        };
}
