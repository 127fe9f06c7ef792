using System.Text.Json.Nodes;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Schedules;

/// <summary>Schedules run functions, with the event and the role that they say.</summary>
public sealed class ScheduleTests(SidecarFixture sidecar)
{
    private const string EverySecond = "* * * * * *";

    /// <summary>Keeps its event and its role.</summary>
    private const string Keeping = """
        export async function handler(event) {
          await db.query('insert into kept_runs (schedule, event, role) values ($1, $2, current_user)', [event.schedule, event]);
        }
        """;

    [Fact]
    public async Task Function_gets_the_event_of_its_time_and_runs_as_the_stated_role()
    {
        var schedule = await ScheduleAsync(
            Keeping,
            EverySecond,
            """{"role": "authenticated", "payload": {"n": 1}, "time_zone": "Europe/Berlin"}"""
        );

        var run = await sidecar.EventuallyAsync<string>(
            "select row_to_json(k)::text from kept_runs k where schedule = $1 order by n limit 1",
            schedule
        );
        var kept = JsonNode.Parse(run)!;
        var happened = kept["event"]!;

        Assert.Equal("authenticated", (string?)kept["role"]);
        Assert.Equal(
            ["schedule", schedule, EverySecond, "Europe/Berlin", "time", "1"],
            new[] { "trigger", "schedule", "cron", "time_zone", "cause", "attempt" }.Select(member => happened[member]!.ToString())
        );
        Assert.Equal("""{"n":1}""", happened["payload"]!.ToJsonString());
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", (string?)happened["scheduled_time"]);
        Assert.True(
            DateTimeOffset.Parse((string)happened["actual_time"]!, null) >= DateTimeOffset.Parse((string)happened["scheduled_time"]!, null)
        );
        var record = await sidecar.EventuallyAsync<string>(
            """
            select concat_ws(' ', r.status, r.cause, r.attempts, r.lateness_ms >= 0, r.finished_at >= r.started_at) from functions.schedule_runs r
            where r.event_id = $1 and r.status = 'succeeded'
            """,
            Guid.Parse((string)happened["event_id"]!)
        );
        Assert.Equal("succeeded time 1 t t", record);
        Assert.Equal(
            "active 0 t",
            await sidecar.EventuallyAsync<string>(
                """
                select concat_ws(' ', state, consecutive_failures, last_success_at is not null) from functions.schedules
                where name = $1 and last_status = 'succeeded'
                """,
                schedule
            )
        );
    }

    [Fact]
    public async Task Workers_module_gets_a_controller_and_noRetry_ends_the_run()
    {
        const string Source = """
            export default {
              async scheduled(controller, env, ctx) {
                await env.DB.prepare('insert into kept_runs (schedule, event, role) values (?, ?, current_user)')
                  .bind('workers', JSON.stringify({ cron: controller.cron, time: controller.scheduledTime })).run();
                controller.noRetry();
                throw new Error('not again');
              }
            }
            """;
        var schedule = await ScheduleAsync(Source, EverySecond, """{"role": "service_role", "retries": 5}""");

        var status = await sidecar.EventuallyAsync<string>(
            "select concat_ws(' ', status, attempts, error_code) from functions.schedule_runs where schedule = $1 and status = 'failed' limit 1",
            schedule
        );

        Assert.Equal("failed 1 FUNCTION_ERROR", status);
        Assert.True(
            await sidecar.EventuallyAsync<bool>(
                """
                select (event ->> 'time')::bigint = extract(epoch from scheduled_time) * 1000 and event ->> 'cron' = '* * * * * *'
                from kept_runs k, functions.schedule_runs r where k.schedule = 'workers' and r.schedule = $1 order by k.n, r.scheduled_time limit 1
                """,
                schedule
            )
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Failing_run_is_retried_as_often_as_the_schedule_says_and_failures_are_counted()
    {
        var schedule = await ScheduleAsync(
            "export async function handler() { throw new Error('always'); }",
            EverySecond,
            """{"role": "anon", "retries": 1}"""
        );

        var status = await sidecar.EventuallyAsync<string>(
            "select concat_ws(' ', attempts, error_message) from functions.schedule_runs where schedule = $1 and status = 'failed' limit 1",
            schedule
        );

        Assert.Equal("2 always", status);
        Assert.True(
            await sidecar.EventuallyAsync<bool>(
                "select last_success_at is null from functions.schedules where name = $1 and consecutive_failures >= 2",
                schedule
            )
        );
    }

    [Fact]
    public async Task Timeout_of_the_schedule_ends_a_run()
    {
        var schedule = await ScheduleAsync(
            "export async function handler() { await new Promise(() => setTimeout(() => {}, 100000)); }",
            EverySecond,
            """{"role": "anon", "retries": 0, "timeout_ms": 1000}"""
        );

        Assert.Equal(
            "TIMEOUT",
            await sidecar.EventuallyAsync<string>(
                "select error_code from functions.schedule_runs where schedule = $1 and status = 'failed' limit 1",
                schedule
            )
        );
    }

    [Fact]
    public async Task Schedule_with_run_at_runs_once_and_is_finished()
    {
        var function = await PrepareAsync(Keeping);
        await sidecar.Database.ExecuteAsync(
            $$"""select functions.schedule('{{function}}', '{{function}}', null, jsonb_build_object('role', 'anon', 'run_at', clock_timestamp()))"""
        );

        Assert.Equal(
            "finished",
            await sidecar.EventuallyAsync<string>(
                "select state from functions.schedules where name = $1 and last_status is not null",
                function
            )
        );
        Assert.Equal(1, await RunsAsync(function));
    }

    [Fact]
    public async Task Schedule_runs_now_after_the_commit_and_not_after_a_rollback()
    {
        var schedule = await ScheduleAsync(Keeping, "0 0 1 1 *", """{"role": "service_role"}""");
        await sidecar.Database.ExecuteAsync($"begin; select functions.run_schedule('{schedule}'); rollback");
        var id = await sidecar.Database.ScalarAsync<Guid>($"select functions.run_schedule('{schedule}')");

        Assert.Equal(
            "manual",
            await sidecar.EventuallyAsync<string>(
                "select cause from functions.schedule_runs where event_id = $1 and status = 'succeeded'",
                id
            )
        );
        Assert.Equal(1, await RunsAsync(schedule));
        Assert.True(
            await sidecar.Database.ScalarAsync<bool>(
                $"select next_run_at = date_trunc('year', now()) + interval '1 year' from functions.schedules where name = '{schedule}'"
            )
        );
    }

    [Fact]
    public async Task Disabled_and_dropped_schedules_do_not_run()
    {
        var schedule = await ScheduleAsync(Keeping, EverySecond, """{"role": "service_role"}""");
        await sidecar.EventuallyAsync<string>("select status from functions.schedule_runs where schedule = $1", schedule);
        await sidecar.Database.ExecuteAsync($"select functions.disable_schedule('{schedule}')");
        var recorded = await RunsAsync(schedule);
        // Two more seconds of another schedule.
        var other = await ScheduleAsync(Keeping, EverySecond, """{"role": "service_role"}""");
        await sidecar.EventuallyAsync<bool>("select true from functions.schedule_runs where schedule = $1 having count(*) >= 2", other);

        Assert.Equal(recorded, await RunsAsync(schedule));
        await sidecar.Database.ExecuteAsync($"select functions.enable_schedule('{schedule}')");
        await sidecar.EventuallyAsync<bool>(
            $"select true from functions.schedule_runs where schedule = $1 having count(*) > {recorded}",
            schedule
        );
        await sidecar.Database.ExecuteAsync($"select functions.drop('{schedule}')");
        Assert.Equal(0, await sidecar.Database.ScalarAsync<long>($"select count(*) from functions.schedules where name = '{schedule}'"));
    }

    [Fact]
    public async Task A_changed_schedule_runs_at_its_new_times()
    {
        var schedule = await ScheduleAsync(Keeping, "0 0 1 1 *", """{"role": "service_role"}""");
        await sidecar.Database.ExecuteAsync(
            $$$"""select functions.schedule('{{{schedule}}}', '{{{schedule}}}', '* * * * * *', '{"role": "service_role"}')"""
        );

        await sidecar.EventuallyAsync<string>(
            "select status from functions.schedule_runs where schedule = $1 and status = 'succeeded'",
            schedule
        );
    }

    [Theory]
    [InlineData("last", "missed missed catch_up", 1)]
    [InlineData("all", "catch_up catch_up catch_up", 3)]
    [InlineData("none", "missed missed missed", 0)]
    public async Task Times_that_passed_without_a_sidecar_are_caught_up_as_the_schedule_says(string catchUp, string expected, int runs)
    {
        var schedule = await ScheduleAsync(
            Keeping,
            "0 0 1 * *",
            $$"""{"role": "service_role", "catch_up": "{{catchUp}}", "catch_up_window_seconds": 31622400}"""
        );
        if (catchUp == "none")
            await sidecar.Database.ExecuteAsync(
                $$$"""select functions.schedule('{{{schedule}}}', '{{{schedule}}}', '0 0 1 * *', '{"role": "service_role"}')"""
            );
        await sidecar.Database.ExecuteAsync(
            $"""
            update functions_private.schedules set next_time = t, next_run_at = t, version = version + 1
            from (select date_trunc('month', now(), 'UTC') - interval '2 months') as past (t) where name = '{schedule}'; notify functions_schedules
            """
        );

        var causes = await sidecar.EventuallyAsync<string>(
            """
            select string_agg(case status when 'missed' then 'missed' else cause end, ' ' order by scheduled_time) from functions.schedule_runs
            where schedule = $1 having count(*) = 3 and bool_and(status in ('missed', 'succeeded'))
            """,
            schedule
        );

        Assert.Equal(expected, causes);
        Assert.Equal(runs, await sidecar.Database.ScalarAsync<long>($"select count(*) from kept_runs where schedule = '{schedule}'"));
    }

    private Task<long> RunsAsync(string schedule) =>
        sidecar.Database.ScalarAsync<long>($"select count(*) from functions.schedule_runs where schedule = '{schedule}'");

    private async Task<string> ScheduleAsync(string source, string cron, string options)
    {
        var function = await PrepareAsync(source);
        await using var command = sidecar.Database.Owner.CreateCommand("select functions.schedule($1, $1, $2, $3::jsonb)");
        command.Parameters.AddWithValue(function);
        command.Parameters.AddWithValue(cron);
        command.Parameters.AddWithValue(options);
        await command.ExecuteNonQueryAsync();
        return function;
    }

    private async Task<string> PrepareAsync(string source)
    {
        try
        {
            await sidecar.Database.ExecuteAsync(
                """
                create table if not exists kept_runs (n bigserial primary key, schedule text, event json, role text);
                grant all on kept_runs to service_role, authenticated, anon; grant usage on kept_runs_n_seq to service_role, authenticated, anon;
                """
            );
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateTable)
        {
            // Another test has just created it.
        }
        return await sidecar.DeployAsync(source);
    }
}
