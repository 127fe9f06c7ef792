using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>The slot: what it is bounded by, that it moves on, and what happens when it is gone.</summary>
public sealed partial class SlotTests
{
    private const int MostMemory = 400_000; // kB

    [Fact]
    [Trait("Case", "19")]
    public async Task A_very_large_transaction_does_not_take_memory_as_large()
    {
        const int Rows = 300_000;
        await using var stage = await FaultStage.CreateAsync();
        await stage.ExecuteAsync("select functions.disable('noting')");
        await stage.InsertAsync(1, Rows);
        // Once it is stored it is acknowledged, and not before.
        await stage.CaughtUpAsync();
        await stage.EachRowHasOneEventAsync(Rows);
        var most = PeakMemory().Match(await File.ReadAllTextAsync($"/proc/{stage.First.Id}/status")).Groups["kb"].Value;
        Assert.InRange(int.Parse(most, CultureInfo.InvariantCulture), 1, MostMemory);
    }

    [Fact]
    [Trait("Case", "20")]
    public async Task A_large_transaction_and_small_ones_keep_the_order_of_their_commits()
    {
        const int Large = 3000;
        await using var stage = await FaultStage.CreateAsync(
            """
            export async function handler(event) {
                if (event.new.key === 0)
                    await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, true)", [event.event_id, event.attempt, event.new.id]);
            }
            """,
            """{"order_by": "key"}""");
        await using (var connection = await stage.Owner.OpenConnectionAsync())
        await using (var large = await connection.BeginTransactionAsync())
        {
            await using var insert = connection.CreateCommand();
            insert.CommandText = $"insert into items select i, case when i in (1, {Large}) then 0 else i end from generate_series(1, {Large}) i";
            await insert.ExecuteNonQueryAsync();
            // They began later, and are first.
            await stage.InsertAsync(Large + 1, Large + 1);
            await stage.InsertAsync(Large + 2, Large + 2);
            await large.CommitAsync();
        }
        await stage.InsertAsync(Large + 3, Large + 3);
        await stage.CaughtUpAsync();
        await stage.UntilAsync("not exists (select from functions_private.deliveries)");
        int[] order = [Large + 1, Large + 2, 1, Large, Large + 3];
        Assert.Equal(order, await stage.ScalarAsync<int[]>("select array_agg(id order by n) from effects"));
        Assert.Equal(order, await stage.ScalarAsync<int[]>("select array_agg(id order by event_id) from effects"));
        await stage.EachRowHasOneEventAsync(Large + 3);
    }

    [Fact]
    [Trait("Case", "21")]
    public async Task A_value_that_is_too_large_to_deliver_is_a_dead_letter_and_what_follows_is_delivered()
    {
        await using var stage = await FaultStage.CreateAsync(settings: ("PGFN_MAX_EVENT_SIZE", "1MB"));
        await stage.ExecuteAsync("insert into items values (1, 0, repeat('x', 20 << 20))");
        await stage.InsertAsync(2, 2);
        await stage.AllDeliveredAsync(1);
        Assert.Equal(2, await stage.ScalarAsync<int>("select id from effects"));
        Assert.Equal("EVENT_TOO_LARGE", await stage.ScalarAsync<string>("select error_code from functions.dead_letters"));
        Assert.Equal(20 << 20, await stage.ScalarAsync<int>("select length(payload -> 'new' ->> 'note') from functions.dead_letters"));
    }

    [Fact]
    [Trait("Case", "31")]
    public async Task A_publication_that_is_dropped_is_an_incident_until_the_slot_is_made_again()
    {
        await using var stage = await FaultStage.CreateAsync();
        // Frozen, it is still connected, and hears of the end in the middle of its stream.
        stage.First.Freeze();
        await stage.ExecuteAsync("drop publication functions_events");
        await stage.InsertAsync(1, 20);
        stage.First.Thaw();
        await IncidentAsync(stage, stage.First, "publication_missing");

        // First the publication, then the slot, which has to be younger.
        await stage.UntilAsync("(select not active from functions.replication)");
        await stage.ExecuteAsync("select functions.recreate_slot()");
        await stage.ExecuteAsync("select functions.recreate_slot()");
        await IsWellAgainAsync(stage, stage.First, 20);
    }

    [Fact]
    [Trait("Case", "36")]
    public async Task A_slot_whose_WAL_was_thrown_away_is_an_incident_and_a_backfill_closes_the_gap()
    {
        await using var stage = await FaultStage.CreateWithServerAsync("max_slot_wal_keep_size = '1MB'");
        await FaultStage.KillAsync(stage.First);
        await stage.InsertAsync(1, 20);
        await Eventually.HoldsAsync(async () =>
        {
            await stage.ExecuteAsync("select pg_logical_emit_message(true, 'noise', 'x'), pg_switch_wal()");
            await stage.ExecuteAsync("checkpoint");
            return await stage.ScalarAsync<string>("select wal_status from functions.replication") == "lost";
        });
        var second = await stage.StartSidecarAsync();
        await IncidentAsync(stage, second, "slot_lost");
        await stage.ExecuteAsync("select functions.recreate_slot()");
        await IsWellAgainAsync(stage, second, 20);
    }

    [Fact]
    public async Task A_slot_and_a_position_that_were_set_back_by_hand_fire_nothing_twice()
    {
        await using var stage = await FaultStage.CreateAsync();
        var slot = await stage.ScalarAsync<string>("select slot from functions.replication");
        await stage.ExecuteAsync($"select pg_copy_logical_replication_slot('{slot}', '{slot}_former')");
        await stage.InsertAsync(1, 20);
        await stage.AllDeliveredAsync(20);
        await FaultStage.KillAsync(stage.First);
        await stage.UntilAsync("(select not active from functions.replication)");
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}'), pg_copy_logical_replication_slot('{slot}_former', '{slot}')");
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}_former')");
        await stage.ExecuteAsync("update functions_private.replication set stored_lsn = null");

        await stage.StartSidecarAsync();
        await stage.InsertAsync(21, 30);
        await stage.AllDeliveredAsync(30);
        await stage.EachRowHasOneEventAsync(30);
        Assert.Equal(30, await stage.ScalarAsync<long>("select count(*) from effects"));
    }

    [Fact]
    public async Task What_committed_before_the_last_trigger_was_dropped_is_delivered_and_then_the_slot_goes()
    {
        await using var stage = await FaultStage.CreateAsync();
        stage.First.Terminate();
        Assert.Equal(0, await stage.First.WaitForExitAsync());
        await stage.InsertAsync(1, 20);
        await stage.ExecuteAsync("select functions.drop_trigger('items')");
        await stage.InsertAsync(21, 30);

        await stage.StartSidecarAsync();
        await stage.UntilAsync("(select count(distinct id) = 20 from effects) and not exists (select from functions_private.deliveries)");
        // Nobody writes any more.
        await stage.UntilAsync("not exists (select from pg_replication_slots where slot_name = functions_private.slot_name())");
        await stage.UntilAsync("(select state = 'idle' from functions.replication)");
        await stage.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Case", "34")]
    public async Task The_slot_moves_on_while_only_other_tables_change()
    {
        await using var stage = await FaultStage.CreateAsync();
        await stage.ExecuteAsync("create table noise (n int)");
        for (var i = 0; i < 10; i++)
        {
            await stage.ExecuteAsync("insert into noise select generate_series(1, 1000)");
            await stage.CaughtUpAsync();
        }
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from functions_private.events"));
    }

    [Fact]
    [Trait("Case", "35")]
    public async Task While_a_function_is_disabled_the_inbox_fills_up_to_its_limit_and_then_reading_pauses()
    {
        await using var stage = await FaultStage.CreateAsync(settings: ("PGFN_INBOX_MAX_EVENTS", "10"));
        await stage.ExecuteAsync("select functions.disable('noting')");
        await stage.InsertAsync(1, 5);
        await stage.CaughtUpAsync();
        Assert.Equal(5, await stage.ScalarAsync<long>("select events_pending from functions.replication"));

        var rows = 5;
        await Eventually.HoldsAsync(async () =>
        {
            rows++;
            await stage.InsertAsync(rows, rows);
            return await stage.ScalarAsync<string>("select state from functions.replication") == "paused";
        });
        Assert.True(await stage.ScalarAsync<long>("select events_pending from functions.replication") < rows, "everything was stored");
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from effects"));
        await stage.ExecuteAsync("select functions.enable('noting')");
        await stage.AllDeliveredAsync(rows);
        await stage.EachRowHasOneEventAsync(rows);
    }

    /// <summary>It is down in the database, once, and whoever watches the sidecar is told.</summary>
    private static async Task IncidentAsync(FaultStage stage, SidecarProcess sidecar, string kind)
    {
        await stage.UntilAsync("exists (select from functions.incidents where closed_at is null)");
        Assert.Equal(kind, await stage.ScalarAsync<string>("select string_agg(kind, ',') from functions.incidents"));
        await HealthAsync(sidecar, HttpStatusCode.ServiceUnavailable);
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from effects"));
    }

    /// <summary>The incident says between which positions something may be missing; what is, a backfill delivers; and what comes now is delivered as ever.</summary>
    private static async Task IsWellAgainAsync(FaultStage stage, SidecarProcess sidecar, int missed)
    {
        Assert.True(await stage.ScalarAsync<bool>("select bool_and(closed_at is not null and from_lsn < to_lsn) from functions.incidents"));
        await HealthAsync(sidecar, HttpStatusCode.OK);
        await stage.ExecuteAsync("select functions.backfill('items')");
        await stage.UntilAsync("(select status = 'done' from functions.backfills)");
        await stage.InsertAsync(missed + 1, missed + 1);
        await stage.AllDeliveredAsync(missed + 1);
        await stage.EachRowHasOneEventAsync(missed + 1);
    }

    private static async Task HealthAsync(SidecarProcess sidecar, HttpStatusCode status)
    {
        using var http = new HttpClient { BaseAddress = sidecar.Url };
        await Eventually.HoldsAsync(async () =>
        {
            using var response = await http.GetAsync("/health/ready");
            return response.StatusCode == status;
        });
    }

    [GeneratedRegex(@"VmHWM:\s+(?<kb>\d+) kB")]
    private static partial Regex PeakMemory();
}
