namespace Functions.PgSidecar.Tests.EndToEnd.Schedules;

/// <summary>What happens at a time at which the previous run of a schedule has not ended.</summary>
public sealed class OverlapTests(SidecarFixture sidecar)
{
    /// <summary>Runs until the row of its schedule in the table of gates is gone.</summary>
    private const string Waiting = """
        export async function handler(event) {
          const note = what => db.query('insert into overlap_notes (schedule, event_id, what) values ($1, $2, $3)', [event.schedule, event.event_id, what]);
          await note('begins');
          while ((await db.query('select from overlap_gates where schedule = $1', [event.schedule])).length > 0)
            await new Promise(resolve => setTimeout(resolve, 20));
          await note('ends');
        }
        """;

    [Fact]
    public async Task Skip_leaves_a_time_out_and_says_why()
    {
        var schedule = await ScheduleAsync("skip");

        var reason = await sidecar.EventuallyAsync<string>(
            "select reason from functions.schedule_runs where schedule = $1 and status = 'skipped' limit 1",
            schedule
        );
        Assert.Equal("The previous run had not ended (overlap: skip).", reason);
        await sidecar.EventuallyAsync<bool>("select true from overlap_notes where schedule = $1 and what = 'begins'", schedule);
        Assert.Equal(1, await CountAsync(schedule, "begins"));
        var refusal = await Assert.ThrowsAsync<Npgsql.PostgresException>(() =>
            sidecar.Database.ExecuteAsync($"select functions.run_schedule('{schedule}')")
        );
        Assert.Equal("55006", refusal.SqlState);

        await OpenAsync(schedule);
        await sidecar.EventuallyAsync<bool>(
            "select true from functions.schedule_runs where schedule = $1 and status = 'succeeded' having count(*) >= 2",
            schedule
        );
    }

    [Fact]
    public async Task Queue_runs_one_after_another()
    {
        var schedule = await ScheduleAsync("queue");
        await sidecar.EventuallyAsync<bool>("select true from functions.schedule_runs where schedule = $1 having count(*) >= 3", schedule);
        await sidecar.EventuallyAsync<bool>("select true from overlap_notes where schedule = $1 and what = 'begins'", schedule);
        Assert.Equal(1, await CountAsync(schedule, "begins"));

        await OpenAsync(schedule);

        await sidecar.EventuallyAsync<bool>(
            "select true from functions.schedule_runs where schedule = $1 and status = 'succeeded' having count(*) >= 3",
            schedule
        );
        Assert.True(
            await sidecar.Database.ScalarAsync<bool>(
                $"""
                select bool_and(what = case when r % 2 = 1 then 'begins' else 'ends' end)
                from (select what, row_number() over (order by n) r from overlap_notes where schedule = '{schedule}') x
                """
            )
        );
        Assert.Equal(
            0,
            await sidecar.Database.ScalarAsync<long>(
                $"select count(*) from functions.schedule_runs where schedule = '{schedule}' and status = 'skipped'"
            )
        );
    }

    [Fact]
    public async Task Cancel_stops_the_previous_run()
    {
        var schedule = await ScheduleAsync("cancel");

        var cancelled = await sidecar.EventuallyAsync<Guid>(
            "select event_id from functions.schedule_runs where schedule = $1 and status = 'cancelled' and reason like 'The next run began%' limit 1",
            schedule
        );
        // The function itself was stopped, in the sidecar that ran it.
        await sidecar.EventuallyAsync<string>(
            "select status from functions.invocations where request_id = $1::text and status = 'cancelled'",
            cancelled
        );

        await sidecar.Database.ExecuteAsync($"select functions.disable_schedule('{schedule}')");
        await OpenAsync(schedule);
        await sidecar.EventuallyAsync<bool>(
            "select true from functions.schedule_runs where schedule = $1 and status = 'succeeded' limit 1",
            schedule
        );
        Assert.Equal(1, await CountAsync(schedule, "ends"));
    }

    private Task<long> CountAsync(string schedule, string what) =>
        sidecar.Database.ScalarAsync<long>($"select count(*) from overlap_notes where schedule = '{schedule}' and what = '{what}'");

    private Task OpenAsync(string schedule) => sidecar.Database.ExecuteAsync($"delete from overlap_gates where schedule = '{schedule}'");

    private async Task<string> ScheduleAsync(string overlap)
    {
        await sidecar.Database.ExecuteAsync(
            """
            select pg_advisory_lock(74);
            create table if not exists overlap_gates (schedule text primary key);
            create table if not exists overlap_notes (n bigserial primary key, schedule text, event_id uuid, what text);
            grant all on overlap_gates, overlap_notes to service_role; grant usage on overlap_notes_n_seq to service_role;
            select pg_advisory_unlock(74);
            """
        );
        var function = await sidecar.DeployAsync(Waiting, """{"timeout_ms": 120000}""");
        await sidecar.Database.ExecuteAsync(
            $$"""
            insert into overlap_gates values ('{{function}}');
            select functions.schedule('{{function}}', '{{function}}', '* * * * * *', '{"role": "service_role", "overlap": "{{overlap}}"}');
            """
        );
        return function;
    }
}
