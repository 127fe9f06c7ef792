using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// Any transaction can create the first trigger of a database, because a sidecar creates the replication slot before. Without triggers the
/// slot retains no WAL.
/// </summary>
public sealed class FirstTriggerTests
{
    private const string Noting =
        "export async function handler(event) { await db.query('insert into noted values ($1)', [event.new.id]); }";

    private const string Migration = """
        create table noted (id int);
        grant all on noted to service_role;
        create table items (id int primary key);
        insert into items values (1);
        select functions.deploy('noting', $$export async function handler(event) { await db.query('insert into noted values ($1)', [event.new.id]); }$$);
        select functions.create_trigger('items', 'noting', 'items', '{INSERT}');
        """;

    private const string SlotIsThere =
        "exists (select from pg_replication_slots where slot_name = 'functions_' || (select oid from pg_database where datname = current_database()) and confirmed_flush_lsn is not null)";

    public static TheoryData<bool> Servers => new(false, true);

    [Theory]
    [Trait("Speed", "Slow")]
    [MemberData(nameof(Servers))]
    public async Task First_trigger_created_with_its_table_in_one_transaction_misses_no_later_commit(bool isNewer)
    {
        Assert.SkipWhen(isNewer && !NewerServer.IsInstalled, "PostgreSQL 18 is not installed.");
        await using var harness = await FaultHarness.CreateBareAsync(isNewer);
        var sidecar = await harness.StartSidecarAsync();
        await using var writer = await harness.Owner.OpenConnectionAsync();
        await using (var migrating = new NpgsqlCommand("begin;" + Migration + "commit; insert into items values (2)", writer))
            await migrating.ExecuteNonQueryAsync();
        for (var id = 3; id <= 50; id++)
            await harness.ExecuteAsync($"insert into items values ({id})");
        await harness.UntilAsync("(select count(distinct id) from noted where id > 1) = 49");
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions.incidents"));
        await StopAsync(sidecar);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Error_without_a_sidecar_names_the_remedy_and_a_separate_transaction_works()
    {
        await using var harness = await FaultHarness.CreateBareAsync();
        var refused = await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync("begin;" + Migration + "commit"));
        Assert.Equal("There is no replication slot, and a transaction that has written something can't create it.", refused.MessageText);
        Assert.Contains("Start a sidecar", refused.Hint);
        Assert.False(await harness.ScalarAsync<bool>("select to_regclass('items') is not null"));

        await harness.ExecuteAsync(Migration[..Migration.IndexOf("select functions.create_trigger", StringComparison.Ordinal)]);
        await harness.ExecuteAsync("select functions.create_trigger('items', 'noting', 'items', '{INSERT}')");
        await harness.ExecuteAsync("insert into items values (2)");
        var sidecar = await harness.StartSidecarAsync();
        await harness.UntilAsync("(select count(*) from noted where id = 2) = 1");
        await StopAsync(sidecar);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slot_creation_that_waits_for_an_open_transaction_does_not_delay_the_start()
    {
        await using var server = await PrivateServer.StartAsync();
        await using var owner = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(server.ConnectionString) { IncludeErrorDetail = true }
        );
        await using var open = await owner.OpenConnectionAsync();
        await ExecuteAsync(open, "create table busy (id int); begin; insert into busy values (1)");
        await using var sidecar = await SidecarProcess.StartAsync(server.SidecarConnectionString);
        await Eventually.HoldsAsync(() => ScalarAsync<bool>(owner, "select count(*) = 1 from pg_replication_slots"));

        await using var migrating = await owner.OpenConnectionAsync();
        var refused = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(migrating, "begin;" + Migration + "commit"));
        await ExecuteAsync(migrating, "rollback");
        Assert.StartsWith("The replication slot is being created", refused.MessageText);
        Assert.Matches($@"^pid {open.ProcessID} \(", refused.Detail);

        await ExecuteAsync(open, "commit");
        await Eventually.HoldsAsync(() => ScalarAsync<bool>(owner, "select " + SlotIsThere));
        await ExecuteAsync(migrating, "begin;" + Migration + "commit; insert into items values (2)");
        await Eventually.HoldsAsync(() => ScalarAsync<bool>(owner, "select count(*) = 1 from noted where id = 2"));
        await StopAsync(sidecar);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slot_without_triggers_retains_no_WAL_and_the_first_trigger_misses_nothing()
    {
        await using var server = await PrivateServer.StartAsync();
        await using var owner = NpgsqlDataSource.Create(server.ConnectionString);
        await using var sidecar = await SidecarProcess.StartAsync(server.SidecarConnectionString);
        Assert.True(await ScalarAsync<bool>(owner, "select " + SlotIsThere));
        await using var writer = await owner.OpenConnectionAsync();
        await ExecuteAsync(writer, "create table noise (t text)");
        var written = await ScalarAsync<string>(owner, "select pg_current_wal_lsn()::text");
        // It may stay 16 MB behind. Checkpoints make the server release WAL that the slot has passed.
        await Eventually.HoldsAsync(async () =>
        {
            await ExecuteAsync(writer, "insert into noise select repeat(md5(n::text), 20) from generate_series(1, 5000) n");
            await ExecuteAsync(writer, "checkpoint");
            return await ScalarAsync<bool>(
                owner,
                $"select restart_lsn > '{written}' and confirmed_flush_lsn > '{written}' from pg_replication_slots"
            );
        });

        await using var migrating = await owner.OpenConnectionAsync();
        await ExecuteAsync(migrating, "begin;" + Migration + "commit; insert into items select generate_series(2, 100)");
        await Eventually.HoldsAsync(() => ScalarAsync<bool>(owner, "select count(distinct id) = 99 from noted where id > 1"));
        await StopAsync(sidecar);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Last_sidecar_drops_an_unused_slot_and_a_killed_one_leaves_it_for_the_next()
    {
        await using var harness = await FaultHarness.CreateBareAsync();
        var first = await harness.StartSidecarAsync();
        var second = await harness.StartSidecarAsync();
        await StopAsync(first);
        Assert.True(await harness.ScalarAsync<bool>("select " + SlotIsThere));
        await StopAsync(second);
        Assert.False(await harness.ScalarAsync<bool>("select " + SlotIsThere));

        var third = await harness.StartSidecarAsync();
        await FaultHarness.KillAsync(third);
        Assert.True(await harness.ScalarAsync<bool>("select " + SlotIsThere));
        await harness.ExecuteAsync("begin;" + Migration + "commit; insert into items values (2)");
        var fourth = await harness.StartSidecarAsync();
        await harness.UntilAsync("(select count(*) from noted where id = 2) = 1");
        await StopAsync(fourth);
        // A trigger exists now.
        Assert.True(await harness.ScalarAsync<bool>("select " + SlotIsThere));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Without_PGFN_KEEP_SLOT_the_slot_exists_from_the_first_trigger_to_the_last()
    {
        await using var harness = await FaultHarness.CreateBareAsync();
        var sidecar = await harness.StartSidecarAsync(null, ("PGFN_KEEP_SLOT", "off"));
        Assert.False(await harness.ScalarAsync<bool>("select " + SlotIsThere));
        await harness.ExecuteAsync("create table items (id int primary key)");
        await harness.ExecuteAsync("select functions.deploy('noting', 'export const handler = () => null;')");
        await harness.ExecuteAsync("select functions.create_trigger('items', 'noting', 'items', '{INSERT}')");
        await sidecar.LogsAsync(FaultHarness.Leads);
        await harness.ExecuteAsync("select functions.drop_trigger('items')");
        await harness.UntilAsync("not " + SlotIsThere);
        await StopAsync(sidecar);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Stopping_sidecar_never_drops_the_slot_of_a_trigger_that_is_being_created()
    {
        await using var harness = await FaultHarness.CreateBareAsync();
        var sidecar = await harness.StartSidecarAsync();
        await harness.ExecuteAsync("create table noted (id int); grant all on noted to service_role");
        await harness.DeployAsync("noting", Noting);
        var made = 0;
        for (var round = 1; round <= 6; round++)
        {
            var stopping = StopAsync(sidecar);
            var isMade = true;
            try
            {
                // Some run before the slot is dropped, some after.
                await harness.ExecuteAsync(
                    $$"""
                    begin; create table items_{{round}} (id int); select pg_sleep({{round}} * 0.05);
                    select functions.create_trigger('items', 'noting', 'items_{{round}}', '{INSERT}'); commit;
                    insert into items_{{round}} values ({{round}});
                    """
                );
            }
            catch (PostgresException e)
            {
                Assert.StartsWith("There is no replication slot", e.MessageText);
                isMade = false;
            }
            await stopping;
            sidecar = await harness.StartSidecarAsync();
            if (!isMade)
                continue;
            made++;
            await harness.UntilAsync($"exists (select from noted where id = {round})");
            await harness.ExecuteAsync("select functions.drop_trigger('items')");
            await harness.UntilAsync("(select state = 'idle' from functions.replication)");
        }
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions.incidents"));
        Assert.Equal(made, await harness.ScalarAsync<long>("select count(distinct id) from noted"));
    }

    private static async Task StopAsync(SidecarProcess sidecar)
    {
        sidecar.Terminate();
        Assert.Equal(0, await sidecar.WaitForExitAsync());
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}
