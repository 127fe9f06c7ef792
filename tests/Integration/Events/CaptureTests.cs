using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Tables whose capture triggers are added after their function trigger was created.</summary>
public sealed class CaptureTests
{
    private const string Partitioned = """
        create table notes (id int primary key, body text) partition by range (id);
        create table notes_0 partition of notes for values from (0) to (10);
        select functions.deploy('f', 'x');
        select functions_private.publish_table('notes');
        insert into functions_private.triggers (name, function, relation, operations, since_lsn) values ('on_f', 'f', 'notes'::regclass, '{INSERT}', '0/0');
        """;

    [Fact]
    public async Task New_partition_does_not_block_its_writers_and_gets_its_triggers_afterwards()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Partitioned);
        var store = new CaptureStore(database.Owner);
        Assert.Empty(await store.UncapturedAsync(CancellationToken.None));
        await database.ExecuteAsync("create table notes_1 partition of notes for values from (10) to (20)");
        await using var writer = await ConcurrentSession.OpenAsync(database);
        await writer.ExecuteAsync("begin; insert into notes values (11)");

        Assert.Equal(["notes_1"], await store.UncapturedAsync(CancellationToken.None));
        Assert.False((await store.CaptureAsync("notes_1", CancellationToken.None)).IsDone);
        await writer.ExecuteAsync("commit");
        Assert.True((await store.CaptureAsync("notes_1", CancellationToken.None)).IsDone);
        Assert.Empty(await store.UncapturedAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Partition_keeps_its_row_trigger_while_a_parent_has_no_statement_trigger()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Partitioned);
        await database.ExecuteAsync(
            """
            create table notes_1 partition of notes for values from (10) to (20) partition by range (id);
            create table notes_1_1 partition of notes_1 for values from (10) to (15)
            """
        );
        var store = new CaptureStore(database.Owner);
        const string IsOn =
            "select tgenabled <> 'D' from pg_trigger where tgname = 'functions_capture_row' and tgrelid = 'notes_1_1'::regclass";

        Assert.True((await store.CaptureAsync("notes_1_1", CancellationToken.None)).IsDone);
        Assert.True(await database.ScalarAsync<bool>(IsOn));
        Assert.Equal(["notes_1"], await CaptureAllAsync(store));
        Assert.True(await database.ScalarAsync<bool>(IsOn));
        Assert.Equal(["notes_1_1"], await CaptureAllAsync(store));
        Assert.False(await database.ScalarAsync<bool>(IsOn));
    }

    [Fact]
    public async Task Table_that_inherits_from_another_roles_table_is_refused()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            create role capture_plain; create role capture_other;
            create table elder (id int); create table notes () inherits (elder);
            alter table notes owner to capture_plain; alter table elder owner to capture_other;
            grant usage on schema functions_private to capture_plain; grant execute on all functions in schema functions_private to capture_plain
            """
        );
        try
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                database.ExecuteAsync("set role capture_plain; select functions_private.validate_trigger_table('notes')")
            );
            Assert.Equal(
                "Rows of public.notes can be written by way of public.elder, which role capture_plain does not own.",
                refused.MessageText
            );
            Assert.Equal("alter table public.elder owner to capture_plain; or grant capture_other to capture_plain;", refused.Hint);
        }
        finally
        {
            await database.ExecuteAsync(
                "reset role; drop table notes, elder; drop owned by capture_plain; drop role capture_plain, capture_other"
            );
        }
    }

    private static async Task<IReadOnlyList<string>> CaptureAllAsync(CaptureStore store)
    {
        var tables = await store.UncapturedAsync(CancellationToken.None);
        foreach (var table in tables)
            Assert.True((await store.CaptureAsync(table, CancellationToken.None)).IsDone);
        return tables;
    }
}
