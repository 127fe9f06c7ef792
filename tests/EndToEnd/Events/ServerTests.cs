using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>What befalls the server, and commits that take place in two steps.</summary>
public sealed class ServerTests
{
    [Fact]
    [Trait("Case", "13")]
    public async Task A_killed_server_that_goes_back_behind_what_was_acknowledged_makes_no_event_twice()
    {
        await using var stage = await FaultStage.CreateWithServerAsync();
        var (rows, wentBack) = (0, false);
        // The slot is on disk as the checkpoint finds it. What it is told later is not, but for the moments in which the server saves it by itself.
        while (!wentBack && rows < 100)
        {
            await stage.ExecuteAsync("checkpoint");
            await stage.InsertAsync(rows + 1, rows + 20);
            rows += 20;
            await stage.AllDeliveredAsync(rows);
            stage.First.Freeze();
            var acknowledged = await stage.ScalarAsync<string>("select confirmed_flush_lsn::text from functions.replication");
            await stage.Server.KillAsync();
            await stage.Server.StartAgainAsync();
            wentBack = await stage.ScalarAsync<bool>($"select confirmed_flush_lsn < '{acknowledged}' from functions.replication");
            stage.First.Thaw();
        }
        Assert.True(wentBack, "the slot did not go back");
        await stage.InsertAsync(rows + 1, rows + 10);
        await stage.AllDeliveredAsync(rows + 10);
        await stage.EachRowHasOneEventAsync(rows + 10);
    }

    [Fact]
    [Trait("Case", "18")]
    public async Task A_fast_shutdown_under_load_completes_and_everything_goes_on_afterwards()
    {
        await using var stage = await FaultStage.CreateWithServerAsync();
        var writing = InsertUntilItFailsAsync(stage);
        await stage.UntilAsync("(select count(*) >= 50 from functions_private.events)");
        await stage.Server.StopAsync();
        await writing;
        await stage.Server.StartAgainAsync();
        // How far the writer came, the table knows: of the last one it was not told.
        var rows = (int)await stage.ScalarAsync<long>("select count(*) from items");
        await stage.AllDeliveredAsync(rows);
        await stage.EachRowHasOneEventAsync(rows);
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from effects where attempt <> 1"));
    }

    [Fact]
    [Trait("Case", "17")]
    public async Task Whatever_number_of_times_the_walsender_ends_nothing_is_lost()
    {
        await using var stage = await FaultStage.CreateAsync();
        using var over = new CancellationTokenSource();
        var writing = InsertUntilAsync(stage, over.Token);
        var ended = 0L;
        await Eventually.HoldsAsync(async () =>
        {
            await Task.Delay(200);
            ended += await stage.ScalarAsync<long>(
                "select count(pg_terminate_backend(active_pid)) from pg_replication_slots where database = current_database() and active");
            return ended >= 5;
        });
        await over.CancelAsync();
        var rows = await writing;
        await stage.AllDeliveredAsync(rows);
        await stage.EachRowHasOneEventAsync(rows);
    }

    [Fact]
    [Trait("Case", "5")]
    [Trait("Case", "6")]
    public async Task A_prepared_transaction_fires_when_it_commits_and_only_then_and_outlives_a_restart()
    {
        await using var stage = await FaultStage.CreateWithServerAsync("max_prepared_transactions = 10");
        await PrepareAsync(stage, "given_up", 1);
        await PrepareAsync(stage, "kept", 2);
        await stage.ExecuteAsync("rollback prepared 'given_up'");
        await stage.InsertAsync(3, 3);
        await stage.AllDeliveredAsync(1);
        await stage.Server.RestartAsync();
        await stage.InsertAsync(4, 4);
        await stage.AllDeliveredAsync(2);
        Assert.Equal((int[])[3, 4], await stage.ScalarAsync<int[]>("select array_agg(id order by id) from effects"));
        await stage.ExecuteAsync("commit prepared 'kept'");
        await stage.AllDeliveredAsync(3);
        Assert.Equal((int[])[2, 3, 4], await stage.ScalarAsync<int[]>("select array_agg(id order by id) from effects"));
    }

    [Fact]
    [Trait("Case", "7")]
    public async Task What_waits_for_a_synchronous_standby_is_not_fired_before_it_is_visible()
    {
        await using var stage = await FaultStage.CreateWithServerAsync("synchronous_standby_names = 'nobody'");
        await using var writer = await stage.Owner.OpenConnectionAsync();
        await using (var waits = new NpgsqlCommand("set synchronous_commit = on", writer))
            await waits.ExecuteNonQueryAsync();
        await using var insert = new NpgsqlCommand("insert into items values (1)", writer);
        var inserting = insert.ExecuteNonQueryAsync();

        // It is in the WAL and in the inbox, and nobody sees it; a later one passes it by.
        await stage.UntilAsync("exists (select from functions_private.events)");
        await stage.InsertAsync(2, 2);
        await stage.UntilAsync("exists (select from effects where id = 2)");
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from items where id = 1"));
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from effects where id = 1"));

        await stage.ExecuteAsync("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'");
        await inserting;
        await stage.AllDeliveredAsync(2);
        Assert.True(await stage.ScalarAsync<bool>("select bool_and(found) from effects"), "a function ran that could not see its row");
    }

    private static async Task PrepareAsync(FaultStage stage, string name, int id)
    {
        await using var connection = await stage.Owner.OpenConnectionAsync();
        foreach (var sql in new[] { "begin", $"insert into items values ({id})", $"prepare transaction '{name}'" })
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
    }

    private static async Task InsertUntilItFailsAsync(FaultStage stage)
    {
        await using var connection = await stage.Owner.OpenConnectionAsync();
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

    private static async Task<int> InsertUntilAsync(FaultStage stage, CancellationToken over)
    {
        var id = 0;
        using var pulse = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!over.IsCancellationRequested && await pulse.WaitForNextTickAsync(CancellationToken.None))
        {
            id++;
            await stage.InsertAsync(id, id);
        }
        return id;
    }
}
