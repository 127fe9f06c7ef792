using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>Whose schema the queues are in, and what becomes of it.</summary>
public sealed class QueueSchemaTests : QueueDatabaseTests
{
    [Fact]
    public async Task A_queue_whose_tables_belong_to_another_role_is_not_consumed()
    {
        await Database.ExecuteAsync(
            """
            do $$ begin create role queue_owner; exception when duplicate_object or unique_violation then null; end $$;
            grant create on schema pgmq to queue_owner; select pgmq.create('theirs'); alter table pgmq.q_theirs owner to queue_owner;
            """
        );
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            Database.ExecuteAsync("""select functions.consume_queue('theirs', 'f', '{"role": "service_role"}')""")
        );
        Assert.Equal((PostgresErrorCodes.InsufficientPrivilege, "alter table pgmq.q_theirs owner to"), (error.SqlState, error.Hint?[..34]));
        await Assert.ThrowsAsync<PostgresException>(() =>
            Database.ExecuteAsync("""select functions.consume_queue('q', 'f', '{"role": "service_role", "dead_letter_queue": "theirs"}')""")
        );
    }

    [Theory]
    [InlineData("create schema pgmq authorization anon")]
    [InlineData(
        "create schema pgmq authorization anon; comment on schema pgmq is 'Functions.PgSidecar: message queues, with the API of the extension pgmq 1.13.'"
    )]
    public async Task A_schema_of_another_role_is_left_alone_and_none_of_its_code_runs(string creation)
    {
        await using var empty = await TestDatabase.CreateEmptyAsync();
        await empty.ExecuteAsync(
            $"""
            do $$ begin create role anon nologin noinherit; exception when duplicate_object or unique_violation then null; end $$;
            {creation};
            create table stolen (who name); grant all on stolen to public;
            create table pgmq.meta (queue_name varchar, is_partitioned bool, is_unlogged bool, created_at timestamptz);
            create function pgmq.create(queue_name text) returns void language sql as 'insert into public.stolen values (current_user)';
            create function pgmq.format_table_name(queue_name text, prefix text) returns text language sql as 'insert into public.stolen values (current_user) returning ''q_x''';
            """
        );
        var report = await Migrator.ApplyAsync(empty.Owner, TestContext.Current.CancellationToken);
        Assert.Contains(report.Warnings, warning => warning.StartsWith("There are no queues in this database", StringComparison.Ordinal));
        await empty.ExecuteAsync("insert into functions_private.functions (name) values ('f')");
        var error = await Assert.ThrowsAsync<PostgresException>(() => empty.ExecuteAsync("select functions.create_queue('q')"));
        Assert.Equal(PostgresErrorCodes.ObjectNotInPrerequisiteState, error.SqlState);
        await Assert.ThrowsAsync<PostgresException>(() =>
            empty.ExecuteAsync("""select functions.consume_queue('q', 'f', '{"role": "service_role"}')""")
        );
        await empty.ExecuteAsync("select * from functions.queues");
        Assert.Equal(0, await empty.ScalarAsync<long>("select count(*) from stolen"));
        Assert.Equal(2, await empty.ScalarAsync<long>("select count(*) from pg_proc where pronamespace = 'pgmq'::regnamespace"));
    }

    [Fact]
    public async Task Without_messages_the_schema_is_uninstalled_and_with_messages_it_stays_unless_asked()
    {
        await Database.ExecuteAsync("select pgmq.send('q', '1')");
        Assert.Equal(
            "dropped schema pgmq_public, kept schema pgmq: 1 of its tables have messages; to drop them: drop schema pgmq cascade;",
            await UninstalledAsync("false")
        );
        Assert.Equal("dropped schema pgmq_public, dropped schema pgmq", await UninstalledAsync("true"));
        await Database.ExecuteAsync("select pgmq.purge_queue('q')");
        Assert.Equal("dropped schema pgmq_public, dropped schema pgmq", await UninstalledAsync("false"));
    }

    [Fact]
    public async Task A_queue_default_whose_table_was_dropped_does_not_stop_a_migration()
    {
        await Database.ExecuteAsync("drop table pgmq.q_default");
        await Migrator.ApplyAsync(Database.Owner, TestContext.Current.CancellationToken);
        Assert.Contains(
            "drop_queue",
            await Database.ScalarAsync<string>("select problem from functions.queues where name = 'default'"),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_kept_schema_is_taken_over_again_by_the_next_installation()
    {
        await Database.ExecuteAsync("select pgmq.send('q', '1'); select functions.uninstall()");
        Assert.Equal(1, await Database.ScalarAsync<long>("select count(*) from pgmq.read('q', 0, 1)"));
        await Migrator.ApplyAsync(Database.Owner, TestContext.Current.CancellationToken);
        Assert.Equal(1, await Database.ScalarAsync<long>("select depth from functions.queues where name = 'q'"));
    }

    [Theory]
    [InlineData("deliver", "active", 1)]
    [InlineData("discard", "not consumed", 0)]
    public async Task In_a_copy_nothing_is_consumed_until_it_is_adopted(string adoption, string state, int taken)
    {
        await ConsumeAsync("""{"role": "service_role"}""");
        await Database.ExecuteAsync("select pgmq.send('q', '1'); select functions_private.initialize_copy('another server', 1, 'hold')");
        Assert.Equal("held", await Database.ScalarAsync<string>("select state from functions.queues where name = 'q'"));
        Assert.Equal(Guid.Empty, await ClaimAsync(Mine));

        await Database.ExecuteAsync($"select functions.adopt('{adoption}')");
        Assert.Equal(state, await Database.ScalarAsync<string>("select state from functions.queues where name = 'q'"));
        Assert.Equal(taken == 1, await ClaimAsync(Mine) != Guid.Empty);
        Assert.Equal(1, await Database.ScalarAsync<long>("select count(*) from pgmq.q_q"));
    }

    private async Task<string> UninstalledAsync(string dropMessages)
    {
        await using var connection = await Database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(); // rolled back
        await using var command = new NpgsqlCommand(
            $"select string_agg(d, ', ') from functions_private.uninstall_queues({dropMessages}) d",
            connection
        );
        return (string)(await command.ExecuteScalarAsync())!;
    }
}
