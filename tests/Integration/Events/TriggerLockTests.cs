using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Who changes triggers and functions waits for others in one order: nobody is ended by a deadlock.</summary>
public sealed class TriggerLockTests
{
    private const string Plain = "create table notes (id int primary key, body text);";

    private const string Partitioned = """
        create table notes (id int primary key, body text) partition by range (id);
        do $$ begin
            for n in 0..9 loop execute format('create table notes_%s partition of notes for values from (%s) to (%s)', n, n * 10, n * 10 + 10); end loop;
        end $$;
        """;

    private const string Triggers = """
        create table notes (id int primary key, body text);
        select functions.deploy('f', 'x'), functions.deploy('g', 'x');
        insert into functions_private.triggers (name, function, relation, operations, since_lsn)
        values ('on_f', 'f', 'notes'::regclass, '{INSERT}', '0/0'), ('on_g', 'g', 'notes'::regclass, '{INSERT}', '0/0');
        """;

    [Theory]
    [InlineData(Plain)]
    [InlineData(Partitioned)]
    public async Task A_trigger_is_made_though_a_reader_of_its_table_goes_on_to_write_it(string table)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(table + "insert into notes values (1, 'a'); select functions.deploy('f', 'x')");
        await using var application = await Rival.OpenAsync(database);
        await using var owner = await Rival.OpenAsync(database);
        try
        {
            await CreateSlotAsync(database);
            await application.ExecuteAsync("begin; select * from notes");
            var creating = owner.ExecuteAsync("select functions.create_trigger('on_notes', 'f', 'notes')");
            await owner.WaitsAsync(creating);
            await application.ExecuteAsync("update notes set body = 'b'; update notes set body = 'c'; commit");
            await creating;
            Assert.Equal(0, await database.ScalarAsync<long>(
                "select count(*) from pg_class where relkind in ('r', 'p') and relname like 'notes%' and relreplident <> 'f'"));
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Fact]
    public async Task A_table_whose_replica_identity_is_full_can_be_read_while_a_trigger_is_made()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Partitioned + "select functions.deploy('f', 'x')");
        await using var reader = await Rival.OpenAsync(database);
        try
        {
            await CreateSlotAsync(database);
            await database.ExecuteAsync("select functions.create_trigger('first', 'f', 'notes')");
            await reader.ExecuteAsync("begin; select * from notes");
            await database.ExecuteAsync("set lock_timeout = '30s'; select functions.create_trigger('second', 'f', 'notes')");
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Fact]
    public async Task The_last_trigger_is_dropped_though_a_reader_of_one_partition_goes_on_to_the_others()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Partitioned + """
            select functions.deploy('f', 'x');
            select functions_private.publish_table('notes');
            insert into functions_private.triggers (name, function, relation, operations, since_lsn)
            values ('on_f', 'f', 'notes'::regclass, '{INSERT}', '0/0');
            """);
        await using var application = await Rival.OpenAsync(database);
        await using var owner = await Rival.OpenAsync(database);
        await application.ExecuteAsync("begin; select * from notes where id = 11");
        var dropping = owner.ExecuteAsync("select functions.drop_trigger('on_f')");
        await owner.WaitsAsync(dropping);
        await application.ExecuteAsync("select * from notes; commit");
        await dropping;
    }

    [Theory]
    [InlineData("select functions.disable_trigger('on_f')")]
    [InlineData("select functions.enable_trigger('on_f')")]
    [InlineData("begin; select functions.backfill('on_f'); select functions.disable_trigger('on_f'); commit")]
    public async Task A_trigger_is_changed_and_then_dropped_by_two_at_once(string change)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Triggers);
        await using var third = await Rival.OpenAsync(database);
        await using var changer = await Rival.OpenAsync(database);
        await using var dropper = await Rival.OpenAsync(database);
        await third.ExecuteAsync("begin; select from functions_private.triggers where name = 'on_f' for update");
        var changing = changer.ExecuteAsync(change);
        await changer.WaitsAsync(changing);
        var dropping = dropper.ExecuteAsync("select functions.drop_trigger('on_f')");
        await dropper.WaitsAsync(dropping);
        await third.ExecuteAsync("rollback");
        await changing;
        await dropping;
        Assert.Equal("on_g", await database.ScalarAsync<string>("select string_agg(name, ',') from functions.triggers"));
    }

    [Fact]
    public async Task A_function_is_dropped_while_another_changes_triggers_and_then_the_function()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Triggers);
        await using var third = await Rival.OpenAsync(database);
        await using var dropper = await Rival.OpenAsync(database);
        await using var changer = await Rival.OpenAsync(database);
        await third.ExecuteAsync("begin; select from functions_private.functions where name = 'f' for update");
        var dropping = dropper.ExecuteAsync("select functions.drop('f')");
        await dropper.WaitsAsync(dropping);
        var changing = changer.ExecuteAsync("select functions.drop_trigger('on_g'), functions.set_env('f', 'KEY', 'value')");
        await changer.WaitsAsync(changing);
        await third.ExecuteAsync("rollback");
        await dropping;
        // It waited, and finds that there is nothing to change any more.
        Assert.Equal(PostgresErrorCodes.UndefinedObject, (await Assert.ThrowsAsync<PostgresException>(() => changing)).SqlState);
    }

    /// <summary>Beforehand: making a slot waits for every transaction of the cluster, other tests' among them.</summary>
    private static Task CreateSlotAsync(TestDatabase database) => database.ExecuteAsync("select functions_private.ensure_slot()");

    /// <summary>A database with a slot can't be dropped.</summary>
    private static Task DropSlotAsync(TestDatabase database) => database.ExecuteAsync(
        "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()");
}
