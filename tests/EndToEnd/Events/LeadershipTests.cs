using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Exactly one sidecar reads the WAL, despite faults.</summary>
public sealed class LeadershipTests
{
    private const string StandsBy = "this one is on standby";
    private const string TakesOver = "The sidecar that reads the WAL has sent no heartbeat";

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "14")]
    public async Task One_sidecar_reads_and_another_takes_over_when_it_ends()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var second = await harness.StartSidecarAsync();
        await second.LogsAsync(StandsBy);
        Assert.DoesNotContain(FaultHarness.Leads, second.Log, StringComparison.Ordinal);
        harness.First.Terminate();
        Assert.Equal(0, await harness.First.WaitForExitAsync());
        await second.LogsAsync(FaultHarness.Leads);
        await harness.InsertAsync(1, 20);
        await harness.AllDeliveredAsync(20);
        await harness.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "15")]
    public async Task Frozen_reader_is_replaced_and_stores_nothing_when_it_resumes()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var second = await harness.StartSidecarAsync();
        await second.LogsAsync(StandsBy);
        harness.First.Freeze();
        // The frozen sidecar receives these when it resumes.
        await harness.InsertAsync(1, 200);
        await second.LogsAsync(TakesOver);
        await harness.UntilAsync("(select count(*) = 200 from functions_private.events)");
        harness.First.Thaw();
        await harness.First.LogsAsync(StandsBy);
        await harness.InsertAsync(201, 210);
        await harness.AllDeliveredAsync(210);
        await harness.EachRowHasOneEventAsync(210);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "15")]
    public async Task Changes_being_stored_by_a_replaced_reader_are_not_stored_again()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await using (await harness.HoldCommitsOfReaderAsync())
        {
            await harness.InsertAsync(1, 20);
            await harness.ReaderWaitsAsync();
            harness.First.Freeze();
            await harness.ExecuteAsync(
                "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active"
            );
        }
        // Its batch had reached the server and has committed. The next reader recognises the repeated changes.
        var second = await harness.StartSidecarAsync();
        await second.LogsAsync(FaultHarness.Leads);
        await harness.CaughtUpAsync();
        harness.First.Thaw();
        await harness.First.LogsAsync(StandsBy);
        await harness.AllDeliveredAsync(20);
        await harness.EachRowHasOneEventAsync(20);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "15")]
    public async Task Part_of_a_large_transaction_stored_by_a_frozen_reader_blocks_no_other_reader()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("select functions.disable('noting')");
        var second = await harness.StartSidecarAsync();
        await second.LogsAsync(StandsBy);
        var rows = await FreezeWithinLargeTransactionAsync(harness);

        await second.LogsAsync(TakesOver);
        await harness.UntilAsync($"(select count(*) = {rows} from functions_private.events)");
        harness.First.Thaw();
        await harness.First.LogsAsync(StandsBy);
        await harness.InsertAsync(rows + 1, rows + 10);
        await harness.CaughtUpAsync();
        await harness.EachRowHasOneEventAsync(rows + 10);
        Assert.Equal(rows + 10, await harness.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
    }

    /// <summary>
    /// Inserts rows until the first sidecar is frozen between two parts of a transaction, and returns the number of rows.
    /// </summary>
    private static async Task<int> FreezeWithinLargeTransactionAsync(FaultHarness harness)
    {
        const int Rows = 200_000;
        const string Storing = """
            select count(distinct a.pid) from pg_locks l join pg_class c on c.oid = l.relation join pg_stat_activity a on a.pid = l.pid
            where l.database = (select oid from pg_database where datname = current_database()) and l.mode = 'RowExclusiveLock'
              and c.relnamespace = 'functions_private'::regnamespace and c.relname like 'events%' and c.relkind = 'r' and l.pid <> pg_backend_pid()
            """; // A partition: the table itself is locked as soon as the statement is prepared.
        for (var rows = Rows; ; rows += Rows)
        {
            await harness.InsertAsync(rows - Rows + 1, rows);
            await Eventually.HoldsAsync(async () =>
                await harness.ScalarAsync<long>(Storing) > 0
                || await harness.ScalarAsync<long>("select count(*) from functions_private.events") == rows
            );
            harness.First.Freeze();
            // The server ends what it is at; then the transaction is open, unless that was its end.
            await harness.UntilAsync($"(select ({Storing} and a.state <> 'idle in transaction') = 0)");
            if (await harness.ScalarAsync<long>(Storing) > 0)
                return rows;
            harness.First.Thaw();
            await harness.CaughtUpAsync();
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "16")]
    public async Task Reader_with_half_open_connections_is_replaced()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var direct = new NpgsqlConnectionStringBuilder(harness.ConnectionString);
        await using var proxy = new FrozenProxy(direct.Host!, direct.Port);
        var remote = await harness.StartSidecarAsync(
            new NpgsqlConnectionStringBuilder(harness.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString
        );
        await remote.LogsAsync(StandsBy);
        harness.First.Terminate();
        Assert.Equal(0, await harness.First.WaitForExitAsync());
        await remote.LogsAsync(FaultHarness.Leads);
        var near = await harness.StartSidecarAsync();
        await near.LogsAsync(StandsBy);

        proxy.Freeze();
        await harness.InsertAsync(1, 50);
        await near.LogsAsync(TakesOver);
        await harness.UntilAsync("(select count(*) = 50 from functions_private.events)");
        proxy.Thaw();
        await harness.InsertAsync(51, 60);
        await harness.AllDeliveredAsync(60);
        await harness.EachRowHasOneEventAsync(60);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    [Trait("Case", "16")]
    public async Task Reader_that_misses_the_end_of_its_connection_continues_on_a_new_one()
    {
        await using var harness = await FaultHarness.CreateAsync();
        var direct = new NpgsqlConnectionStringBuilder(harness.ConnectionString);
        await using var proxy = new FrozenProxy(direct.Host!, direct.Port);
        var remote = await harness.StartSidecarAsync(
            new NpgsqlConnectionStringBuilder(harness.ConnectionString) { Host = "127.0.0.1", Port = proxy.Port }.ConnectionString
        );
        await remote.LogsAsync(StandsBy);
        await FaultHarness.KillAsync(harness.First);
        await remote.LogsAsync(FaultHarness.Leads);

        proxy.FreezeReplication();
        await harness.ExecuteAsync(
            "select pg_terminate_backend(s.active_pid) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
        );
        await harness.InsertAsync(1, 20);
        await harness.AllDeliveredAsync(20);
        await harness.EachRowHasOneEventAsync(20);
    }
}
