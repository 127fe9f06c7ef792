using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>What befalls the server, and commits that take place in two steps.</summary>
public sealed class ServerTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "13")]
    public async Task Killed_server_that_rewinds_before_the_acknowledged_position_creates_no_event_twice()
    {
        await using var harness = await FaultHarness.CreateWithServerAsync();
        var (rows, wentBack) = (0, false);
        // The slot is on disk as the checkpoint finds it. What it is told later is not, but for the moments in which the server saves it by
        // itself.
        while (!wentBack && rows < 100)
        {
            await harness.ExecuteAsync("checkpoint");
            await harness.InsertAsync(rows + 1, rows + 20);
            rows += 20;
            await harness.AllDeliveredAsync(rows);
            harness.First.Freeze();
            var acknowledged = await harness.ScalarAsync<string>("select confirmed_flush_lsn::text from functions.replication");
            await harness.Server.KillAsync();
            await harness.Server.StartAgainAsync();
            wentBack = await harness.ScalarAsync<bool>($"select confirmed_flush_lsn < '{acknowledged}' from functions.replication");
            harness.First.Thaw();
        }
        Assert.True(wentBack, "the slot did not go back");
        await harness.InsertAsync(rows + 1, rows + 10);
        await harness.AllDeliveredAsync(rows + 10);
        await harness.EachRowHasOneEventAsync(rows + 10);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "18")]
    public async Task Fast_shutdown_under_load_completes_and_work_continues_after_the_restart()
    {
        await using var harness = await FaultHarness.CreateWithServerAsync();
        var writing = InsertUntilItFailsAsync(harness);
        await harness.UntilAsync("(select count(*) >= 50 from functions_private.events)");
        await harness.Server.StopAsync();
        await writing;
        await harness.Server.StartAgainAsync();
        // How far the writer came, the table knows: of the last one it was not told.
        var rows = (int)await harness.ScalarAsync<long>("select count(*) from items");
        await harness.AllDeliveredAsync(rows);
        await harness.EachRowHasOneEventAsync(rows);
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from effects where attempt <> 1"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "17")]
    public async Task Repeated_ends_of_the_walsender_lose_nothing()
    {
        await using var harness = await FaultHarness.CreateAsync();
        using var over = new CancellationTokenSource();
        var writing = InsertUntilAsync(harness, over.Token);
        var ended = 0L;
        await Eventually.HoldsAsync(async () =>
        {
            await Task.Delay(200);
            ended += await harness.ScalarAsync<long>(
                "select count(pg_terminate_backend(active_pid)) from pg_replication_slots where database = current_database() and active"
            );
            return ended >= 5;
        });
        await over.CancelAsync();
        var rows = await writing;
        await harness.AllDeliveredAsync(rows);
        await harness.EachRowHasOneEventAsync(rows);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "5")]
    [Trait("Case", "6")]
    public async Task Prepared_transaction_fires_only_when_it_commits_and_survives_a_restart()
    {
        await using var harness = await FaultHarness.CreateWithServerAsync("max_prepared_transactions = 10");
        await PrepareAsync(harness, "given_up", 1);
        await PrepareAsync(harness, "kept", 2);
        await harness.ExecuteAsync("rollback prepared 'given_up'");
        await harness.InsertAsync(3, 3);
        await harness.AllDeliveredAsync(1);
        await harness.Server.RestartAsync();
        await harness.InsertAsync(4, 4);
        await harness.AllDeliveredAsync(2);
        Assert.Equal((int[])[3, 4], await harness.ScalarAsync<int[]>("select array_agg(id order by id) from effects"));
        await harness.ExecuteAsync("commit prepared 'kept'");
        await harness.AllDeliveredAsync(3);
        Assert.Equal((int[])[2, 3, 4], await harness.ScalarAsync<int[]>("select array_agg(id order by id) from effects"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "7")]
    public async Task Changes_waiting_for_a_synchronous_standby_do_not_fire_before_they_are_visible()
    {
        await using var harness = await FaultHarness.CreateWithServerAsync("synchronous_standby_names = 'nobody'");
        await using var writer = await harness.Owner.OpenConnectionAsync();
        await using (var waits = new NpgsqlCommand("set synchronous_commit = on", writer))
            await waits.ExecuteNonQueryAsync();
        await using var insert = new NpgsqlCommand("insert into items values (1)", writer);
        var inserting = insert.ExecuteNonQueryAsync();

        // It is in the WAL and in the inbox, and nobody sees it; a later one passes it by.
        await harness.UntilAsync("exists (select from functions_private.events)");
        await harness.InsertAsync(2, 2);
        await harness.UntilAsync("exists (select from effects where id = 2)");
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from items where id = 1"));
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from effects where id = 1"));

        await harness.ExecuteAsync("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
        await inserting;
        await harness.AllDeliveredAsync(2);
        Assert.True(await harness.ScalarAsync<bool>("select bool_and(found) from effects"), "a function ran that could not see its row");
    }

    private static async Task PrepareAsync(FaultHarness harness, string name, int id)
    {
        await using var connection = await harness.Owner.OpenConnectionAsync();
        foreach (var sql in new[] { "begin", $"insert into items values ({id})", $"prepare transaction '{name}'" })
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    private static async Task InsertUntilItFailsAsync(FaultHarness harness)
    {
        await using var connection = await harness.Owner.OpenConnectionAsync();
        try
        {
            for (var id = 1; ; id++)
            {
                await using var command = new NpgsqlCommand($"insert into items values ({id})", connection);
                await command.ExecuteNonQueryAsync();
            }
        }
        catch (NpgsqlException)
        {
            // The server has ended.
        }
    }

    private static async Task<int> InsertUntilAsync(FaultHarness harness, CancellationToken over)
    {
        var id = 0;
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!over.IsCancellationRequested && await timer.WaitForNextTickAsync(CancellationToken.None))
        {
            id++;
            await harness.InsertAsync(id, id);
        }
        return id;
    }
}
