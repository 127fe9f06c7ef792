using System.Globalization;
using System.Security.Cryptography;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// Function triggers make no statement of the application fail. Random definitions and writes run in two schemas that differ only in
/// the triggers, and must have the same outcome: on the server of the test run, and on PostgreSQL 18. <c>PGFN_DDL_STEPS</c> and
/// <c>PGFN_DDL_SEED</c> make it longer, or repeat a run.
/// </summary>
public sealed class WriteSafetyTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(false, true, true)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    [InlineData(false, false, false)]
    [InlineData(true, true, true)]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    [InlineData(true, false, false)]
    public async Task No_statement_fails_because_of_function_triggers(bool isNewest, bool hasGuard, bool isSidecarRunning)
    {
        Assert.SkipWhen(isNewest && !NewerServer.IsInstalled, "The programs of PostgreSQL 18 (tests/EndToEnd/servers) are not there.");
        var seed = Setting("PGFN_DDL_SEED") ?? RandomNumberGenerator.GetInt32(int.MaxValue);
        var steps = Setting("PGFN_DDL_STEPS") ?? 100;
        output.WriteLine($"seed {seed}, {steps} steps");
        await using var database = isNewest ? null : await TestDatabase.CreateAsync();
        await using var source = NpgsqlDataSource.Create(database?.ConnectionString ?? await NewerServer.CreateDatabaseAsync());
        var version = isNewest ? 18 : await (await PostgresServer.GetAsync()).GetVersionAsync();
        await using var harness = new PairedSchemas(source);
        await harness.PrepareAsync(hasGuard);
        try
        {
            var statements = new RandomStatements(seed, version, hasGuard);
            var identities = new IdentityStore(source);
            for (var step = 0; step < steps; step++)
            {
                if (isSidecarRunning && step % 7 == 6)
                {
                    foreach (var table in await identities.UnsettledAsync(CancellationToken.None))
                        await identities.SettleAsync(table.Table, CancellationToken.None);
                }
                var sql = statements.Next();
                var (plain, watched) = await harness.ExecuteAsync(sql);
                Assert.True(
                    plain == watched,
                    $"seed {seed}, step {step}: {sql}\nwithout triggers: {plain}\nwith triggers: {watched}\n{harness.History}"
                );
            }
            Assert.True(harness.Succeeded > steps / 4, $"seed {seed}: only {harness.Succeeded} of {steps} statements succeeded");
            foreach (var table in await identities.UnsettledAsync(CancellationToken.None))
                Assert.True((await identities.SettleAsync(table.Table, CancellationToken.None)).IsDone);
            Assert.Empty(await identities.UnsettledAsync(CancellationToken.None));
        }
        finally
        {
            await harness.DropSlotAsync();
        }
    }

    [Theory]
    [InlineData("replica identity nothing")]
    [InlineData("replica identity default")]
    [InlineData("publication")]
    public async Task Carrying_all_changes_keeps_writes_safe_without_the_event_trigger(string change)
    {
        await using var database = await TestDatabase.CreateAsync();
        var sql = change == "publication" ? "create publication of_id for table items (id)" : $"alter table items {change}";
        try
        {
            // Without function triggers neither of these fails: a column list may include the key, and a table without a key may have any
            // identity.
            await database.ExecuteAsync(
                $"""
                drop event trigger functions_guard; create table items (id int {(
                    change == "publication" ? "primary key" : "not null"
                )}, note text); insert into items values (1);
                select functions.deploy('f', 'x');
                """
            );
            await database.ExecuteAsync("select functions_private.ensure_slot()");
            await database.ExecuteAsync("select functions.create_trigger('items', 'f', 'items')");
            var identities = new IdentityStore(database.Owner);
            // Published, as it is at first: that is what the choice is about. Where the event trigger is missing, PostgreSQL 18 and newer
            // always carry changes.
            var isChosen = await (await PostgresServer.GetAsync()).GetVersionAsync() < 18;
            await database.ExecuteAsync(sql);
            if (isChosen)
                await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("update items set note = 'x'"));
            await database.ExecuteAsync("drop publication if exists of_id");
            foreach (var table in await identities.UnsettledAsync(CancellationToken.None))
                Assert.True((await identities.SettleAsync(table.Table, CancellationToken.None)).IsDone);

            await database.ExecuteAsync("select functions.carry_changes(true)");
            foreach (var table in await identities.UnsettledAsync(CancellationToken.None))
                Assert.True((await identities.SettleAsync(table.Table, CancellationToken.None)).IsDone);
            await database.ExecuteAsync(sql);
            await database.ExecuteAsync("update items set note = 'x'; delete from items");
            // Unflushed changes are not shown.
            await Eventually.HoldsAsync(() =>
                database.ScalarAsync<bool>(
                    """
                    select count(*) = 2 from pg_logical_slot_peek_binary_changes(functions_private.slot_name(), null, null, 'proto_version', '2',
                        'publication_names', 'functions_events,functions_events_changes', 'messages', 'true') where encode(data, 'escape') like '%functions.change%'
                    """
                )
            );

            await database.ExecuteAsync("drop publication if exists of_id; select functions.carry_changes(false)");
            foreach (var table in await identities.UnsettledAsync(CancellationToken.None))
                Assert.True((await identities.SettleAsync(table.Table, CancellationToken.None)).IsDone);
            Assert.Equal(
                isChosen,
                await database.ScalarAsync<bool>("select relreplident = 'f' from pg_class where oid = 'items'::regclass")
            );
        }
        finally
        {
            await database.ExecuteAsync(
                "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
            );
        }
    }

    [Fact]
    public async Task The_identity_that_the_owner_set_last_is_restored_when_a_column_list_needs_it()
    {
        await using var database = await TestDatabase.CreateAsync();
        var identities = new IdentityStore(database.Owner);
        try
        {
            await database.ExecuteAsync(
                "create table items (id int not null, note text); insert into items values (1); select functions.deploy('f', 'x')"
            );
            await database.ExecuteAsync("select functions_private.ensure_slot()");
            await database.ExecuteAsync("select functions.create_trigger('items', 'f', 'items')");
            await SettleAsync();
            await database.ExecuteAsync(
                "create unique index items_id on items (id); alter table items replica identity using index items_id"
            );
            await SettleAsync();
            Assert.Equal("f", await IdentityAsync());

            await database.ExecuteAsync("create publication of_id for table items (id)");
            await database.ExecuteAsync("update items set note = 'x'");

            Assert.Equal("i", await IdentityAsync());
        }
        finally
        {
            await database.ExecuteAsync(
                "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
            );
        }

        async Task SettleAsync()
        {
            foreach (var table in await identities.UnsettledAsync(CancellationToken.None))
                Assert.True((await identities.SettleAsync(table.Table, CancellationToken.None)).IsDone);
        }

        Task<string> IdentityAsync() =>
            database.ScalarAsync<string>("select relreplident::text from pg_class where oid = 'items'::regclass");
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
