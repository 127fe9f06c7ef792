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
    [Trait("Speed", "Slow")]
    [Trait("Case", "19")]
    public async Task Very_large_transaction_takes_bounded_memory()
    {
        const int Rows = 300_000;
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("select functions.disable('noting')");
        await harness.InsertAsync(1, Rows);
        // Once it is stored it is acknowledged, and not before.
        await harness.CaughtUpAsync();
        await harness.EachRowHasOneEventAsync(Rows);
        var most = PeakMemory().Match(await File.ReadAllTextAsync($"/proc/{harness.First.Id}/status")).Groups["kb"].Value;
        Assert.InRange(int.Parse(most, CultureInfo.InvariantCulture), 1, MostMemory);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "20")]
    public async Task Large_and_small_transactions_keep_their_commit_order()
    {
        const int Large = 3000;
        await using var harness = await FaultHarness.CreateAsync(
            """
            export async function handler(event) {
                if (event.new.key === 0)
                    await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, true)", [event.event_id, event.attempt, event.new.id]);
            }
            """,
            """{"order_by": "key"}"""
        );
        await using (var connection = await harness.Owner.OpenConnectionAsync())
        await using (var large = await connection.BeginTransactionAsync())
        {
            await using var insert = connection.CreateCommand();
            insert.CommandText =
                $"insert into items select i, case when i in (1, {Large}) then 0 else i end from generate_series(1, {Large}) i";
            await insert.ExecuteNonQueryAsync();
            // They began later, and are first.
            await harness.InsertAsync(Large + 1, Large + 1);
            await harness.InsertAsync(Large + 2, Large + 2);
            await large.CommitAsync();
        }
        await harness.InsertAsync(Large + 3, Large + 3);
        await harness.CaughtUpAsync();
        await harness.UntilAsync("not exists (select from functions_private.deliveries)");
        int[] order = [Large + 1, Large + 2, 1, Large, Large + 3];
        Assert.Equal(order, await harness.ScalarAsync<int[]>("select array_agg(id order by n) from effects"));
        Assert.Equal(order, await harness.ScalarAsync<int[]>("select array_agg(id order by event_id) from effects"));
        await harness.EachRowHasOneEventAsync(Large + 3);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "21")]
    public async Task Value_too_large_to_deliver_is_a_dead_letter_and_later_events_are_delivered()
    {
        await using var harness = await FaultHarness.CreateAsync(settings: ("PGFN_MAX_EVENT_SIZE", "1MB"));
        await harness.ExecuteAsync("insert into items values (1, 0, repeat('x', 20 << 20))");
        await harness.InsertAsync(2, 2);
        await harness.AllDeliveredAsync(1);
        Assert.Equal(2, await harness.ScalarAsync<int>("select id from effects"));
        Assert.Equal("EVENT_TOO_LARGE", await harness.ScalarAsync<string>("select error_code from functions.dead_letters"));
        Assert.Equal(20 << 20, await harness.ScalarAsync<int>("select length(payload -> 'new' ->> 'note') from functions.dead_letters"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "31")]
    public async Task Dropped_publication_is_an_incident_until_the_slot_is_recreated()
    {
        await using var harness = await FaultHarness.CreateAsync();
        // Frozen, it is still connected, and hears of the end in the middle of its stream.
        harness.First.Freeze();
        var end = await harness.ScalarAsync<string>("select pg_current_wal_insert_lsn()::text");
        await harness.ExecuteAsync("drop publication functions_events");
        await harness.InsertAsync(1, 20);
        harness.First.Thaw();
        await IncidentAsync(harness, harness.First, "publication_missing");
        Assert.True(await harness.ScalarAsync<bool>($"select from_lsn <= '{end}' from functions.incidents"));

        // First the publication, then the slot, which has to be younger.
        await harness.UntilAsync("(select not active from functions.replication)");
        await harness.ExecuteAsync("select functions.recreate_slot()");
        await harness.ExecuteAsync("select functions.recreate_slot()");
        await IsWellAgainAsync(harness, harness.First, 20);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "36")]
    public async Task Slot_with_removed_WAL_is_an_incident_and_a_backfill_closes_the_gap()
    {
        await using var harness = await FaultHarness.CreateWithServerAsync("max_slot_wal_keep_size = '1MB'");
        await FaultHarness.KillAsync(harness.First);
        await harness.InsertAsync(1, 20);
        await Eventually.HoldsAsync(async () =>
        {
            await harness.ExecuteAsync("select pg_logical_emit_message(true, 'noise', 'x'), pg_switch_wal()");
            await harness.ExecuteAsync("checkpoint");
            return await harness.ScalarAsync<string>("select wal_status from functions.replication") == "lost";
        });
        var second = await harness.StartSidecarAsync();
        await IncidentAsync(harness, second, "slot_lost");
        await harness.ExecuteAsync("select functions.recreate_slot()");
        await IsWellAgainAsync(harness, second, 20);
    }

    /// <summary>From PostgreSQL 18 on, a server can also give up a slot that nobody has read for a time.</summary>
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slot_that_was_idle_for_too_long_is_an_incident_and_a_backfill_closes_the_gap()
    {
        Assert.SkipUnless(NewerServer.IsInstalled, "The programs of PostgreSQL 18 (npm: postgres-18) are not there.");
        await using var harness = await FaultHarness.CreateWithServerAsync(
            await PrivateServer.StartWithAsync(await NewerServer.GetProgramsAsync())
        );
        await FaultHarness.KillAsync(harness.First);
        await harness.InsertAsync(1, 20);
        await harness.ExecuteAsync("alter system set idle_replication_slot_timeout = '1s'");
        await harness.ExecuteAsync("select pg_reload_conf()");
        await Eventually.HoldsAsync(async () =>
        {
            await harness.ExecuteAsync("checkpoint");
            return await harness.ScalarAsync<string>("select wal_status from functions.replication") == "lost";
        });
        await harness.ExecuteAsync("alter system reset idle_replication_slot_timeout");
        await harness.ExecuteAsync("select pg_reload_conf()");
        var second = await harness.StartSidecarAsync();
        await IncidentAsync(harness, second, "slot_lost");
        await harness.ExecuteAsync("select functions.recreate_slot()");
        await IsWellAgainAsync(harness, second, 20);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slot_and_position_rewound_by_hand_fire_nothing_twice()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var slot = await harness.ScalarAsync<string>("select slot from functions.replication");
        await harness.ExecuteAsync($"select pg_copy_logical_replication_slot('{slot}', '{slot}_former')");
        await harness.InsertAsync(1, 20);
        await harness.AllDeliveredAsync(20);
        await FaultHarness.KillAsync(harness.First);
        await harness.UntilAsync("(select not active from functions.replication)");
        await harness.ExecuteAsync(
            $"select pg_drop_replication_slot('{slot}'), pg_copy_logical_replication_slot('{slot}_former', '{slot}')"
        );
        await harness.ExecuteAsync($"select pg_drop_replication_slot('{slot}_former')");
        await harness.ExecuteAsync("update functions_private.replication set stored_lsn = null");

        await harness.StartSidecarAsync();
        await harness.InsertAsync(21, 30);
        await harness.AllDeliveredAsync(30);
        await harness.EachRowHasOneEventAsync(30);
        Assert.Equal(30, await harness.ScalarAsync<long>("select count(*) from effects"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Changes_before_the_drop_of_the_last_trigger_are_delivered_and_then_the_slot_is_removed()
    {
        await using var harness = await FaultHarness.CreateAsync();
        harness.First.Terminate();
        Assert.Equal(0, await harness.First.WaitForExitAsync());
        await harness.InsertAsync(1, 20);
        await harness.ExecuteAsync("select functions.drop_trigger('items')");
        await harness.InsertAsync(21, 30);

        await harness.StartSidecarAsync(null, ("PGFN_KEEP_SLOT", "off"));
        await harness.UntilAsync("(select count(distinct id) = 20 from effects) and not exists (select from functions_private.deliveries)");
        // Nobody writes any more.
        await harness.UntilAsync("not exists (select from pg_replication_slots where slot_name = functions_private.slot_name())");
        await harness.UntilAsync("(select state = 'idle' from functions.replication)");
        await harness.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "34")]
    public async Task Slot_advances_while_only_other_tables_change()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("create table noise (n int)");
        for (var i = 0; i < 10; i++)
        {
            await harness.ExecuteAsync("insert into noise select generate_series(1, 1000)");
            await harness.CaughtUpAsync();
        }
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.events"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "35")]
    public async Task Inbox_of_a_disabled_function_fills_to_its_limit_and_then_reading_pauses()
    {
        await using var harness = await FaultHarness.CreateAsync(settings: ("PGFN_INBOX_MAX_EVENTS", "10"));
        await harness.ExecuteAsync("select functions.disable('noting')");
        await harness.InsertAsync(1, 5);
        await harness.CaughtUpAsync();
        Assert.Equal(5, await harness.ScalarAsync<long>("select events_pending from functions.replication"));

        var rows = 5;
        await Eventually.HoldsAsync(async () =>
        {
            rows++;
            await harness.InsertAsync(rows, rows);
            return await harness.ScalarAsync<string>("select state from functions.replication") == "paused";
        });
        Assert.True(await harness.ScalarAsync<long>("select events_pending from functions.replication") < rows, "everything was stored");
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from effects"));
        await harness.ExecuteAsync("select functions.enable('noting')");
        await harness.AllDeliveredAsync(rows);
        await harness.EachRowHasOneEventAsync(rows);
    }

    /// <summary>It is down in the database, once, and whoever watches the sidecar is told.</summary>
    private static async Task IncidentAsync(FaultHarness harness, SidecarProcess sidecar, string kind)
    {
        await harness.UntilAsync("exists (select from functions.incidents where closed_at is null)");
        Assert.Equal(kind, await harness.ScalarAsync<string>("select string_agg(kind, ',') from functions.incidents"));
        await HealthAsync(sidecar, HttpStatusCode.ServiceUnavailable);
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from effects"));
    }

    /// <summary>
    /// The incident says between which positions something may be missing; what is, a backfill delivers; and what comes now is delivered as
    /// ever.
    /// </summary>
    private static async Task IsWellAgainAsync(FaultHarness harness, SidecarProcess sidecar, int missed)
    {
        Assert.True(
            await harness.ScalarAsync<bool>("select bool_and(closed_at is not null and from_lsn < to_lsn) from functions.incidents")
        );
        await HealthAsync(sidecar, HttpStatusCode.OK);
        await harness.ExecuteAsync("select functions.backfill('items')");
        await harness.UntilAsync("(select status = 'done' from functions.backfills)");
        await harness.InsertAsync(missed + 1, missed + 1);
        await harness.AllDeliveredAsync(missed + 1);
        await harness.EachRowHasOneEventAsync(missed + 1);
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
