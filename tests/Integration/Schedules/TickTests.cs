using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Schedules;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Schedules;

/// <summary>What sidecars read and record at a tick.</summary>
public sealed class TickTests : IAsyncLifetime
{
    private static readonly Guid Sidecar = Guid.CreateVersion7();

    /// <summary>The last day of February: half a year from most days on which this is run, and never at the turn of a year.</summary>
    private const string Yearly = "30 3 L 2 *";

    private readonly CronScheduleCache times = new();
    private TestDatabase database = null!;
    private ScheduleStore store = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        store = new ScheduleStore(database.Owner, Sidecar);
        await database.ExecuteAsync("select functions.deploy('f', 'x', options => '{\"role\": \"anon\"}')");
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_sidecars_that_have_read_the_same_tick_one_fires(bool early)
    {
        await DueAsync("s");
        var (first, second) = (await PlansAsync(), await PlansAsync());

        Assert.Equal(1, (await store.FireAsync(first, early, CancellationToken.None)).Fired);
        var late = await store.FireAsync(second, early, CancellationToken.None);

        Assert.Equal((0, 0), (late.Fired, late.Advanced.Count));
        Assert.Equal("1 1 1", await CountsAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_schedule_that_was_changed_disabled_or_dropped_since_it_was_read_does_not_fire(bool early)
    {
        foreach (var name in new[] { "changed", "disabled", "dropped" })
            await DueAsync(name);
        var plans = await PlansAsync();
        Assert.Equal(3, plans.Count);
        await database.ExecuteAsync(
            """
            select functions.schedule('changed', 'f', '0 0 1 1 *'), functions.disable_schedule('disabled'), functions.unschedule('dropped')
            """
        );

        Assert.Equal(0, (await store.FireAsync(plans, early, CancellationToken.None)).Fired);
        Assert.Equal("0 0 0", await CountsAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_schedule_that_another_session_is_changing_holds_up_no_other(bool early)
    {
        await DueAsync("locked");
        await DueAsync("free");
        await using var other = await database.Owner.OpenConnectionAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await using (var change = new NpgsqlCommand("select functions.disable_schedule('locked')", other))
            await change.ExecuteNonQueryAsync();

        var result = await store.FireAsync(await PlansAsync(), early, CancellationToken.None);

        Assert.Equal(["free"], result.Advanced);
        await transaction.RollbackAsync();
        Assert.Equal(["locked"], (await store.FireAsync(await PlansAsync(), early, CancellationToken.None)).Advanced);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_time_that_has_a_row_already_is_not_fired_again(bool early)
    {
        await DueAsync("s");
        await database.ExecuteAsync(
            """
            insert into functions_private.schedule_runs
                (schedule, scheduled_time, function, cause, status, due_at, fired_at, finished_at)
            select name, next_time, function, 'time', 'succeeded', next_time, now(), now() from functions_private.schedules
            """
        );

        var result = await store.FireAsync(await PlansAsync(), early, CancellationToken.None);

        Assert.Equal((1, 0), (result.Advanced.Count, result.Fired));
        Assert.Equal("1 0 0", await CountsAsync());
    }

    [Fact]
    public async Task Only_due_schedules_are_read_of_a_hundred_thousand()
    {
        await DueAsync("s");
        await database.ExecuteAsync(
            """
            insert into functions_private.schedules (name, function, cron, next_time, next_run_at)
            select 'x' || i, 'f', '0 0 * * *', now() + i * interval '1 minute', now() + i * interval '1 minute' from generate_series(1, 100000) i;
            analyze functions_private.schedules;
            """
        );
        foreach (var (sql, parameters) in new[] { (ScheduleStore.DueSql, 3), (ScheduleStore.WaitSql, 1) })
        {
            await using var explain = database.Owner.CreateCommand("explain (analyze, timing off) " + sql);
            foreach (var value in new object[] { Array.Empty<string>(), TimeSpan.Zero, ScheduleStore.MaxDue }.Take(parameters))
                explain.Parameters.AddWithValue(value);
            var plan = "";
            await using var reader = await explain.ExecuteReaderAsync();
            while (await reader.ReadAsync())
                plan += reader.GetString(0) + "\n";
            Assert.Matches("Index (Only )?Scan using schedules_due.*actual rows=1(\\.00)? loops=1", plan);
            Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
            Assert.DoesNotContain("Rows Removed", plan, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_event_has_an_id_that_is_the_same_every_time_and_sorts_by_time()
    {
        const string Record = """
            truncate functions_private.schedule_runs, functions_private.deliveries, functions_private.events;
            select functions_private.record_runs(array_agg(name), array_agg(t), array_agg('time'::text), array_agg(1))
            from unnest('{s,t}'::text[]) name, generate_series('2026-02-06 03:00Z'::timestamptz, '2026-02-06 03:03Z', '1 second') t
            """;
        const string Ids = "select string_agg(event_id::text, ' ' order by scheduled_time, schedule) from functions_private.schedule_runs";
        await database.ExecuteAsync(
            "select functions.schedule(n, 'f', '* * * * * *', '{\"overlap\": \"queue\"}') from unnest('{s,t}'::text[]) n"
        );
        await database.ExecuteAsync(Record);
        var ids = (await database.ScalarAsync<string>(Ids)).Split(' ');
        await database.ExecuteAsync(Record);

        Assert.Equal(ids, (await database.ScalarAsync<string>(Ids)).Split(' '));
        Assert.Equal(362, ids.Distinct().Count());
        Assert.Equal(
            ids.Chunk(2).Select(static pair => pair[0]).Order(StringComparer.Ordinal),
            ids.Chunk(2).Select(static pair => pair[0])
        );
        Assert.All(ids, static id => Assert.Matches("^[0-9a-f-]{14}8[0-9a-f]{3}-8", id));
    }

    [Fact]
    public async Task Outcome_of_a_sidecar_whose_claim_is_over_is_not_recorded()
    {
        await DueAsync("s");
        await store.FireAsync(await PlansAsync(), early: false, CancellationToken.None);
        var deliveries = new DeliveryStore(database.Owner, Sidecar);
        var former = (await deliveries.ClaimAsync(new Dictionary<string, int> { ["f"] = 1 }, CancellationToken.None))[0];
        await database.ExecuteAsync("update functions_private.deliveries set claimed_by = null");
        var present = (await deliveries.ClaimAsync(new Dictionary<string, int> { ["f"] = 1 }, CancellationToken.None))[0];

        await deliveries.CompleteAsync(
            [new DeliveryOutcome(former, "FUNCTION_ERROR", "old news", null, 1, default)],
            CancellationToken.None
        );
        Assert.Equal("running", await StatusAsync());

        await deliveries.CompleteAsync([new DeliveryOutcome(present, null, null, null, 0, default)], CancellationToken.None);
        Assert.Equal("succeeded", await StatusAsync());
        Assert.Equal(
            "succeeded 0",
            await database.ScalarAsync<string>("select concat_ws(' ', last_status, consecutive_failures) from functions.schedules")
        );
    }

    [Fact]
    public async Task Open_change_of_a_schedule_does_not_hold_up_recording_how_its_run_ended()
    {
        await DueAsync("s");
        await store.FireAsync(await PlansAsync(), early: false, CancellationToken.None);
        var deliveries = new DeliveryStore(database.Owner, Sidecar);
        var delivery = (await deliveries.ClaimAsync(new Dictionary<string, int> { ["f"] = 1 }, CancellationToken.None))[0];
        await using var other = await database.Owner.OpenConnectionAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await using (var change = new NpgsqlCommand("select functions.unschedule('s')", other))
            await change.ExecuteNonQueryAsync();

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await deliveries.CompleteAsync([new DeliveryOutcome(delivery, null, null, null, 0, default)], patience.Token);

        Assert.Equal("succeeded", await StatusAsync());
    }

    [Fact]
    public async Task Runs_of_dropped_functions_and_removed_events_are_closed_and_old_records_expire()
    {
        await DueAsync("s");
        await store.FireAsync(await PlansAsync(), early: false, CancellationToken.None);
        await database.ExecuteAsync("delete from functions_private.deliveries");
        await store.MaintainAsync(CancellationToken.None);
        Assert.Equal("cancelled", await StatusAsync());

        Assert.Equal(0, await store.ExpireAsync(TimeSpan.FromDays(7), 100, CancellationToken.None));
        await database.ExecuteAsync("update functions_private.schedule_runs set fired_at = now() - interval '8 days'");
        Assert.Equal(1, await store.ExpireAsync(TimeSpan.FromDays(7), 100, CancellationToken.None));
    }

    [Fact]
    public async Task At_most_a_thousand_runs_of_a_schedule_wait()
    {
        await database.ExecuteAsync(
            "select functions.schedule('s', 'f', '* * * * * *', '{\"overlap\": \"queue\", \"catch_up\": \"all\"}')"
        );
        await database.ExecuteAsync(
            "update functions_private.schedules set next_time = t, next_run_at = t from (select now() - interval '1200 s') as p (t)"
        );
        var (fired, skipped) = (0, 0);
        while (await PlansAsync() is { Count: > 0 } plans)
        {
            var result = await store.FireAsync(plans, early: false, CancellationToken.None);
            (fired, skipped) = (fired + result.Fired, skipped + result.Skipped);
        }

        Assert.Equal(1000, fired);
        Assert.True(skipped >= 200);
        Assert.Equal(
            "1000 runs waited already (overlap: queue).",
            await database.ScalarAsync<string>("select distinct reason from functions.schedule_runs where status = 'skipped'")
        );
    }

    [Fact]
    public async Task Jitter_is_the_same_every_time_and_differs_between_schedules()
    {
        await database.ExecuteAsync(
            "select functions.schedule('s' || i, 'f', '0 0 * * *', '{\"jitter_seconds\": 600}') from generate_series(1, 50) i"
        );
        const string Jitters =
            "select string_agg(distinct jitter::text, ' ') from functions_private.schedules where jitter between '0' and '600 s'";
        var jitters = await database.ScalarAsync<string>(Jitters);

        Assert.Equal(50, jitters.Split(' ').Length);
        await database.ExecuteAsync("select functions.unschedule(name) from functions.schedules");
        await database.ExecuteAsync(
            "select functions.schedule('s' || i, 'f', '0 0 * * *', '{\"jitter_seconds\": 600}') from generate_series(1, 50) i"
        );
        Assert.Equal(jitters, await database.ScalarAsync<string>(Jitters));
    }

    [Fact]
    public async Task The_same_call_again_keeps_a_time_that_is_due()
    {
        await DueAsync("s");
        await database.ExecuteAsync("select functions.schedule('s', 'f', '" + Yearly + "', '{\"payload\": 1}')");

        Assert.Single(await PlansAsync());
    }

    [Fact]
    public async Task Nothing_fires_before_its_time_however_early_a_sidecar_calls()
    {
        await DueAsync("s");
        await MoveAsync("60 ms");
        var result = await store.FireAsync(await PlansAsync(TimeSpan.FromSeconds(1)), early: false, CancellationToken.None);

        Assert.Equal(1, result.Fired);
        Assert.True(await database.ScalarAsync<bool>("select bool_and(fired_at >= due_at) from functions_private.schedule_runs"));

        await MoveAsync("1 hour");
        foreach (var early in new[] { false, true })
            Assert.Empty((await store.FireAsync(await PlansAsync(TimeSpan.FromHours(2)), early, CancellationToken.None)).Advanced);
    }

    [Fact]
    public async Task What_is_recorded_early_is_not_seen_before_its_time()
    {
        await DueAsync("s");
        await MoveAsync("400 ms");
        var firing = store.FireAsync(await PlansAsync(TimeSpan.FromSeconds(1)), early: true, CancellationToken.None);

        var wasSeenEarly = false;
        do
        {
            // What the statement sees was committed before it reads the clock.
            wasSeenEarly |= await database.ScalarAsync<bool>(
                "select exists (select from functions_private.schedule_runs r where r.due_at > clock_timestamp())"
            );
        } while (!firing.IsCompleted);

        Assert.False(wasSeenEarly);
        Assert.Equal(1, (await firing).Fired);
        Assert.True(
            await database.ScalarAsync<bool>("select bool_and(due_at <= fired_at and due_at < now()) from functions_private.schedule_runs")
        );
        Assert.Equal("1 1 1", await CountsAsync());
    }

    [Fact]
    public async Task Of_two_sidecars_that_record_the_same_time_early_one_fires()
    {
        await DueAsync("s");
        await MoveAsync("300 ms");
        var plans = await PlansAsync(TimeSpan.FromSeconds(1));

        var results = await Task.WhenAll(
            store.FireAsync(plans, early: true, CancellationToken.None),
            store.FireAsync(plans, early: true, CancellationToken.None)
        );

        Assert.Equal(1, results.Sum(result => result.Fired));
        Assert.Equal("1 1 1", await CountsAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reserved_runs_are_assigned_to_the_sidecar_and_others_wait_in_the_inbox(bool early)
    {
        await database.ExecuteAsync(
            "select functions.schedule('s', 'f', '" + Yearly + "', '{\"payload\": {\"n\": 1}, \"retries\": 2, \"timeout_ms\": 1200}')"
        );
        await database.ExecuteAsync("select functions.schedule('queued', 'f', '" + Yearly + "', '{\"overlap\": \"queue\"}')");
        await DueAsync("left");
        await MoveAsync(early ? "200 ms" : "0 ms");
        var plans = await PlansAsync(TimeSpan.FromSeconds(1));
        var reserved = plans.Select(plan => plan with { IsReserved = plan.Schedule.Name != "left" }).ToList();

        var result = await store.FireAsync(reserved, early, CancellationToken.None);

        Assert.Equal(3, result.Fired);
        var taken = Assert.Single(result.Taken);
        var deliveries = new DeliveryStore(database.Owner, Sidecar);
        var claimed = await deliveries.ClaimAsync(new Dictionary<string, int> { ["f"] = 9 }, CancellationToken.None);
        Assert.Equal([false, true], claimed.Select(delivery => delivery.IsOrdered).Order());
        Assert.DoesNotContain(claimed, delivery => delivery.EventId == taken.EventId);
        var like = claimed.Single(delivery => !delivery.IsOrdered);
        Assert.Equal(
            ("f", 1, TriggerKind.Schedule, 0, (short)0),
            (taken.Function, taken.Token, taken.Kind, taken.FailedAttempts, taken.Depth)
        );
        Assert.Equal((like.CallerJson, 2, TimeSpan.FromMilliseconds(1200)), (taken.CallerJson, taken.Retries, taken.Timeout));
        Assert.Contains("\"payload\" : {\"n\": 1}", System.Text.Encoding.UTF8.GetString(taken.Payload.Span), StringComparison.Ordinal);

        await deliveries.CompleteAsync([new DeliveryOutcome(taken, null, null, null, 0, default)], CancellationToken.None);
        Assert.Equal(
            "succeeded",
            await database.ScalarAsync<string>($"select status from functions.schedule_runs where event_id = '{taken.EventId}'")
        );
    }

    [Fact]
    public async Task A_schedule_whose_run_has_not_ended_is_not_fired_early()
    {
        await DueAsync("s");
        await store.FireAsync(await PlansAsync(), early: false, CancellationToken.None);
        await DueAsync("free");
        await MoveAsync("200 ms");
        var plans = await PlansAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(["free"], (await store.FireAsync(plans, early: true, CancellationToken.None)).Advanced);
        await database.ExecuteAsync(
            "update functions_private.schedule_runs set finished_at = now(), status = 'succeeded' where schedule = 's'"
        );
        var late = await store.FireAsync(plans, early: false, CancellationToken.None);

        // When it was due, its run had ended.
        Assert.Equal((1, 0), (late.Fired, late.Skipped));
        Assert.Equal(["s"], late.Advanced);
    }

    [Fact]
    public async Task Schedules_of_a_copy_are_held_until_they_are_adopted()
    {
        await DueAsync("s");
        await database.ExecuteAsync(
            "select functions_private.initialize_copy('1', (select oid from pg_database where datname = current_database()), 'hold')"
        );
        Assert.Empty(await PlansAsync());
        Assert.Equal("held", await database.ScalarAsync<string>("select state from functions.schedules"));

        await database.ExecuteAsync("select functions.adopt('discard')");
        Assert.Equal("disabled", await database.ScalarAsync<string>("select state from functions.schedules"));
        await database.ExecuteAsync(
            "update functions_private.schedules set held = true, enabled = true; select functions.adopt('deliver')"
        );
        Assert.Single(await PlansAsync());
    }

    private async Task<List<TickPlan>> PlansAsync(TimeSpan ahead = default) =>
        [.. (await store.DueAsync([], ahead, CancellationToken.None)).Due.Select(due => TickPlan.Make(due, times.Find(due)))];

    private Task MoveAsync(string later) =>
        database.ExecuteAsync(
            $"""
            update functions_private.schedules set next_time = t, next_run_at = t
            from (select clock_timestamp() + interval '{later}') as moved (t)
            """
        );

    /// <summary>Creates a schedule whose time came a second ago. No other time of it lies between then and the end of a test.</summary>
    private Task DueAsync(string name) =>
        database.ExecuteAsync(
            $"""
            select functions.schedule('{name}', 'f', '{Yearly}');
            update functions_private.schedules set next_time = t, next_run_at = t from (select now() - interval '1 s') as past (t) where name = '{name}'
            """
        );

    private Task<string> StatusAsync() => database.ScalarAsync<string>("select string_agg(status, ' ') from functions.schedule_runs");

    private Task<string> CountsAsync() =>
        database.ScalarAsync<string>(
            """
            select concat_ws(' ', (select count(*) from functions_private.schedule_runs), (select count(*) from functions_private.events),
                (select count(*) from functions_private.deliveries))
            """
        );
}
