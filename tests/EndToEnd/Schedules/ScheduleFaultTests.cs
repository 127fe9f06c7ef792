using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;

namespace Functions.PgSidecar.Tests.EndToEnd.Schedules;

/// <summary>Each time of a schedule has one run, whatever happens to sidecars, the server and clocks.</summary>
public sealed class ScheduleFaultTests
{
    private const string Noting = """
        export async function handler(event) {
          await db.query('insert into ticks (event_id, scheduled_time) values ($1, $2)', [event.event_id, event.scheduled_time]);
        }
        """;

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Killed_sidecars_leave_no_time_out_and_run_none_twice()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), sidecars: 2);
        var second = await harness.StartSidecarAsync();
        await MoreRunsAsync(harness, 2);
        await FaultHarness.KillAsync(harness.First);
        await MoreRunsAsync(harness, 2);
        await harness.StartSidecarAsync();
        await FaultHarness.KillAsync(second);
        await MoreRunsAsync(harness, 2);

        await EachSecondHasOneRunAsync(harness);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task A_frozen_sidecar_holds_nothing_up()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), sidecars: 1);
        await harness.StartSidecarAsync();
        await MoreRunsAsync(harness, 1);
        harness.First.Freeze();
        await MoreRunsAsync(harness, 3);
        harness.First.Thaw();
        await MoreRunsAsync(harness, 2);

        await EachSecondHasOneRunAsync(harness);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Server_that_is_killed_and_started_again_continues_where_it_was()
    {
        var server = await PrivateServer.StartAsync();
        await using var harness = await PrepareAsync(FaultHarness.CreateBareOn(server), sidecars: 1);
        await MoreRunsAsync(harness, 2);
        await server.KillAsync();
        await server.StartAgainAsync();
        await MoreRunsAsync(harness, 2);
        await server.RestartAsync();
        await MoreRunsAsync(harness, 2);

        await EachSecondHasOneRunAsync(harness);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Clocks_of_sidecars_do_not_matter()
    {
        await using var harness = await PrepareAsync(await FaultHarness.CreateBareAsync(), sidecars: 0);
        // Functions see the wrong time of their sidecar; when they run, the server's clock decides.
        foreach (var offset in new[] { "+60s", "-60s" })
            await harness.StartSidecarWithClockAsync(offset);
        await MoreRunsAsync(harness, 5);

        await EachSecondHasOneRunAsync(harness);
        Assert.True(
            await harness.ScalarAsync<bool>(
                """
                select bool_and(fired_at >= scheduled_time and fired_at < scheduled_time + interval '30 seconds'
                    and (lateness_ms is null or lateness_ms between 0 and 30000)) from functions.schedule_runs where cause = 'time'
                """
            )
        );
    }

    private static async Task<FaultHarness> PrepareAsync(FaultHarness harness, int sidecars)
    {
        // The database of a bare harness is migrated by its first sidecar at the latest.
        for (var i = 0; i < sidecars; i++)
            await harness.StartSidecarAsync();
        await using var deployer = sidecars > 0 ? null : await SidecarProcess.StartAsync(harness.ConnectionString);
        await harness.ExecuteAsync(
            """
            create table ticks (n bigserial primary key, event_id uuid not null, scheduled_time timestamptz not null);
            grant all on ticks to service_role; grant usage on ticks_n_seq to service_role;
            """
        );
        await harness.DeployAsync("ticking", Noting);
        await harness.ExecuteAsync("select functions.schedule('ticking', 'ticking', '* * * * * *', '{\"role\": \"service_role\"}')");
        return harness;
    }

    private static async Task MoreRunsAsync(FaultHarness harness, int count)
    {
        var sofar = 0L;
        await Eventually.HoldsAsync(async () =>
        {
            try
            {
                sofar = await harness.ScalarAsync<long>("select count(*) from functions.schedule_runs where status = 'succeeded'");
                return true;
            }
            catch (Npgsql.NpgsqlException)
            {
                return false; // the server is starting
            }
        });
        await harness.UntilAsync($"(select count(*) >= {sofar + count} from functions.schedule_runs where status = 'succeeded')");
    }

    private static async Task EachSecondHasOneRunAsync(FaultHarness harness)
    {
        await harness.ExecuteAsync("select functions.disable_schedule('ticking')");
        await harness.UntilAsync("(select bool_and(finished_at is not null) from functions.schedule_runs)");
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                """
                select count(*) from (
                    select scheduled_time + times * interval '1 second' as until, lead(scheduled_time) over (order by scheduled_time) as next
                    from functions.schedule_runs) r where until <> next
                """
            )
        );
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                """
                select count(*) from functions.schedule_runs r full join (select distinct event_id, scheduled_time from ticks) t using (event_id)
                where r.status = 'succeeded' and t.scheduled_time is null or r.schedule is null or r.scheduled_time <> t.scheduled_time
                """
            )
        );
        Assert.Equal(
            await harness.ScalarAsync<long>("select count(*) from functions.schedule_runs where event_id is not null"),
            await harness.ScalarAsync<long>("select count(*) from functions_private.events where kind = 'schedule'")
        );
    }
}
