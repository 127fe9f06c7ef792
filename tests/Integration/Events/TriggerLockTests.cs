using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Changes of triggers and functions take locks in one order, so that no deadlock ends one.</summary>
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
    public async Task Trigger_is_created_while_a_reader_of_its_table_becomes_a_writer(string table)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(table + "insert into notes values (1, 'a'); select functions.deploy('f', 'x')");
        await using var application = await ConcurrentSession.OpenAsync(database);
        await using var owner = await ConcurrentSession.OpenAsync(database);
        try
        {
            await CreateSlotAsync(database);
            await application.ExecuteAsync("begin; select * from notes");
            var creating = owner.ExecuteAsync("select functions.create_trigger('on_notes', 'f', 'notes')");
            await owner.WaitsAsync(creating);
            await application.ExecuteAsync("update notes set body = 'b'; update notes set body = 'c'; commit");
            await creating;
            Assert.Equal(
                0,
                await database.ScalarAsync<long>(
                    "select count(*) from pg_class where relkind in ('r', 'p') and relname like 'notes%' and relreplident <> 'f'"
                )
            );
        }
        finally
        {
            await DropSlotAsync(database);
        }
    }

    [Fact]
    public async Task Table_with_full_replica_identity_can_be_read_while_a_trigger_is_created()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Partitioned + "select functions.deploy('f', 'x')");
        await using var reader = await ConcurrentSession.OpenAsync(database);
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
    public async Task Last_trigger_is_dropped_while_a_reader_of_one_partition_moves_to_the_others()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            Partitioned
                + """
                select functions.deploy('f', 'x');
                select functions_private.publish_table('notes');
                insert into functions_private.triggers (name, function, relation, operations, since_lsn)
                values ('on_f', 'f', 'notes'::regclass, '{INSERT}', '0/0');
                """
        );
        await using var application = await ConcurrentSession.OpenAsync(database);
        await using var owner = await ConcurrentSession.OpenAsync(database);
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
    public async Task Two_sessions_can_change_and_drop_a_trigger_concurrently(string change)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Triggers);
        await using var third = await ConcurrentSession.OpenAsync(database);
        await using var changer = await ConcurrentSession.OpenAsync(database);
        await using var dropper = await ConcurrentSession.OpenAsync(database);
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
    public async Task Function_can_be_dropped_while_another_session_changes_triggers_and_then_the_function()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Triggers);
        await using var third = await ConcurrentSession.OpenAsync(database);
        await using var dropper = await ConcurrentSession.OpenAsync(database);
        await using var changer = await ConcurrentSession.OpenAsync(database);
        await third.ExecuteAsync("begin; select from functions_private.functions where name = 'f' for update");
        var dropping = dropper.ExecuteAsync("select functions.drop('f')");
        await dropper.WaitsAsync(dropping);
        var changing = changer.ExecuteAsync("select functions.drop_trigger('on_g'), functions.set_env('f', 'KEY', 'value')");
        await changer.WaitsAsync(changing);
        await third.ExecuteAsync("rollback");
        await dropping;
        // It waited, and there is nothing left to change.
        Assert.Equal(PostgresErrorCodes.UndefinedObject, (await Assert.ThrowsAsync<PostgresException>(() => changing)).SqlState);
    }

    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData(
        "select functions.create_trigger('new', 'f', 'notes')",
        "Triggers can't be changed at the moment: another transaction has changed some, and did not end within 5 s."
    )]
    [InlineData(
        "select functions.drop_trigger('on_g')",
        "Triggers can't be changed at the moment: another transaction has changed some, and did not end within 5 s."
    )]
    [InlineData(
        "select functions.drop('g')",
        "Triggers can't be changed at the moment: another transaction has changed some, and did not end within 5 s."
    )]
    [InlineData(
        "select functions.disable_trigger('on_g')",
        "Trigger \"on_g\" can't be changed at the moment: another transaction has changed some, and did not end within 5 s."
    )]
    [InlineData(
        "select functions.enable_trigger('on_g')",
        "Trigger \"on_g\" can't be changed at the moment: another transaction has changed some, and did not end within 5 s."
    )]
    [InlineData(
        "select functions.backfill('on_g')",
        "Trigger \"on_g\" can't be changed at the moment: another transaction has changed some, and did not end within 5 s."
    )]
    public async Task Wait_for_another_change_of_triggers_times_out_and_names_the_blocker(string change, string message)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Triggers);
        await using var holder = await ConcurrentSession.OpenAsync(database);
        var pid = await holder.ScalarAsync<int>("select pg_backend_pid()");
        await holder.ExecuteAsync("begin; select functions.drop_trigger('on_f')");
        await using var changer = await ConcurrentSession.OpenAsync(database);
        // The caller's own timeout is restored afterwards.
        await changer.ExecuteAsync("set lock_timeout = '30s'");
        var refused = await Assert.ThrowsAsync<PostgresException>(() => changer.ExecuteAsync(change));
        Assert.Equal((PostgresErrorCodes.LockNotAvailable, message), (refused.SqlState, refused.MessageText));
        Assert.Matches($@"^pid {pid} \(.*drop_trigger", refused.Detail);
        Assert.Equal("30s", await changer.ScalarAsync<string>("show lock_timeout"));
        await holder.ExecuteAsync("rollback");
        if (!change.Contains("create_trigger", StringComparison.Ordinal))
            await changer.ExecuteAsync(change);
    }

    /// <summary>Created beforehand: creating a slot waits for every transaction of the cluster, including those of other tests.</summary>
    private static Task CreateSlotAsync(TestDatabase database) => database.ExecuteAsync("select functions_private.ensure_slot()");

    /// <summary>A database with a slot cannot be dropped.</summary>
    private static Task DropSlotAsync(TestDatabase database) =>
        database.ExecuteAsync(
            "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
        );
}
