using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>One sidecar reads the WAL, whatever befalls it; there are never two.</summary>
public sealed class LeadershipTests
{
    private const string StandsBy = "this one stands by";
    private const string TakesOver = "The reader of the WAL has been silent";

    [Fact]
    [Trait("Case", "14")]
    public async Task One_sidecar_reads_and_another_takes_over_when_it_ends()
    {
        await using var stage = await FaultStage.CreateAsync();
        var second = await stage.StartSidecarAsync();
        await second.LogsAsync(StandsBy);
        Assert.DoesNotContain(FaultStage.Leads, second.Log, StringComparison.Ordinal);
        stage.First.Terminate();
        Assert.Equal(0, await stage.First.WaitForExitAsync());
        await second.LogsAsync(FaultStage.Leads);
        await stage.InsertAsync(1, 20);
        await stage.AllDeliveredAsync(20);
        await stage.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Case", "15")]
    public async Task A_reader_that_stands_still_is_replaced_and_stores_nothing_when_it_comes_back()
    {
        await using var stage = await FaultStage.CreateAsync();
        var second = await stage.StartSidecarAsync();
        await second.LogsAsync(StandsBy);
        stage.First.Freeze();
        // The frozen one is sent these; it finds them when it comes back.
        await stage.InsertAsync(1, 200);
        await second.LogsAsync(TakesOver);
        await stage.UntilAsync("(select count(*) = 200 from functions_private.events)");
        stage.First.Thaw();
        await stage.First.LogsAsync(StandsBy);
        await stage.InsertAsync(201, 210);
        await stage.AllDeliveredAsync(210);
        await stage.EachRowHasOneEventAsync(210);
    }

    [Fact]
    [Trait("Case", "15")]
    public async Task What_a_reader_was_storing_when_it_was_replaced_is_not_stored_again()
    {
        await using var stage = await FaultStage.CreateAsync();
        await using (await stage.HoldCommitsOfReaderAsync())
        {
            await stage.InsertAsync(1, 20);
            await stage.ReaderWaitsAsync();
            stage.First.Freeze();
            await stage.ExecuteAsync("select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active");
        }
        // Its batch had come to the server and has committed: the next one recognises what it reads again.
        var second = await stage.StartSidecarAsync();
        await second.LogsAsync(FaultStage.Leads);
        await stage.CaughtUpAsync();
        stage.First.Thaw();
        await stage.First.LogsAsync(StandsBy);
        await stage.AllDeliveredAsync(20);
        await stage.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Case", "15")]
    public async Task What_a_reader_that_stands_still_has_stored_of_a_large_transaction_holds_up_nobody()
    {
        await using var stage = await FaultStage.CreateAsync();
        await stage.ExecuteAsync("select functions.disable('noting')");
        var second = await stage.StartSidecarAsync();
        await second.LogsAsync(StandsBy);
        var rows = await FreezeWithinLargeTransactionAsync(stage);

        await second.LogsAsync(TakesOver);
        await stage.UntilAsync($"(select count(*) = {rows} from functions_private.events)");
        stage.First.Thaw();
        await stage.First.LogsAsync(StandsBy);
        await stage.InsertAsync(rows + 1, rows + 10);
        await stage.CaughtUpAsync();
        await stage.EachRowHasOneEventAsync(rows + 10);
        Assert.Equal(rows + 10, await stage.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
    }

    /// <summary>Inserts rows until the first sidecar stands still between two parts of a transaction, and returns how many there are.</summary>
    private static async Task<int> FreezeWithinLargeTransactionAsync(FaultStage stage)
    {
        const int Rows = 200_000;
        const string Storing = """
            select count(distinct a.pid) from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid
            where l.database = (select oid from pg_database where datname = current_database()) and l.mode = 'RowExclusiveLock'
              and c.relnamespace = 'functions_private'::regnamespace and c.relname like 'events%' and c.relkind = 'r' and l.pid <> pg_backend_pid()
            """; // A partition: the table itself is locked as soon as the statement is prepared.
        for (var rows = Rows; ; rows += Rows)
        {
            await stage.InsertAsync(rows - Rows + 1, rows);
            await Eventually.HoldsAsync(async () =>
                await stage.ScalarAsync<long>(Storing) > 0 || await stage.ScalarAsync<long>("select count(*) from functions_private.events") == rows);
            stage.First.Freeze();
            // The server ends what it is at; then the transaction is open, unless that was its end.
            await stage.UntilAsync($"(select ({Storing} and a.state <> 'idle in transaction') = 0)");
            if (await stage.ScalarAsync<long>(Storing) > 0)
                return rows;
            stage.First.Thaw();
            await stage.CaughtUpAsync();
        }
    }

    [Fact]
    [Trait("Case", "16")]
    public async Task A_reader_whose_connections_are_half_open_is_replaced()
    {
        await using var stage = await FaultStage.CreateAsync();
        var direct = new NpgsqlConnectionStringBuilder(stage.ConnectionString);
        await using var proxy = new FrozenProxy(direct.Host!, direct.Port);
        var remote = await stage.StartSidecarAsync(new NpgsqlConnectionStringBuilder(stage.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString);
        await remote.LogsAsync(StandsBy);
        stage.First.Terminate();
        Assert.Equal(0, await stage.First.WaitForExitAsync());
        await remote.LogsAsync(FaultStage.Leads);
        var near = await stage.StartSidecarAsync();
        await near.LogsAsync(StandsBy);

        proxy.Freeze();
        await stage.InsertAsync(1, 50);
        await near.LogsAsync(TakesOver);
        await stage.UntilAsync("(select count(*) = 50 from functions_private.events)");
        proxy.Thaw();
        await stage.InsertAsync(51, 60);
        await stage.AllDeliveredAsync(60);
        await stage.EachRowHasOneEventAsync(60);
    }

    [Fact]
    [Trait("Case", "16")]
    public async Task A_reader_that_never_hears_that_its_server_has_left_it_reads_on_over_a_new_connection()
    {
        await using var stage = await FaultStage.CreateAsync();
        var direct = new NpgsqlConnectionStringBuilder(stage.ConnectionString);
        await using var proxy = new FrozenProxy(direct.Host!, direct.Port);
        var remote = await stage.StartSidecarAsync(new NpgsqlConnectionStringBuilder(stage.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString);
        await remote.LogsAsync(StandsBy);
        await FaultStage.KillAsync(stage.First);
        await remote.LogsAsync(FaultStage.Leads);

        proxy.FreezeReplication();
        await stage.ExecuteAsync(
            "select pg_terminate_backend(s.active_pid) from pg_replication_slots s where s.slot_name = functions_private.slot_name()");
        await stage.InsertAsync(1, 20);
        await stage.AllDeliveredAsync(20);
        await stage.EachRowHasOneEventAsync(20);
    }
}
