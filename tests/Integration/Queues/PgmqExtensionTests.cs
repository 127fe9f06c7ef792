using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>
/// A database with the extension pgmq of a superuser, in which <c>pgfn install</c> makes an owner that is none. The server need not have
/// the extension: a schema with the same functions and owner is registered as one.
/// </summary>
public sealed class PgmqExtensionTests
{
    private const string Consume = """select functions.consume_queue('emails', 'f', '{"role": "service_role"}')""";

    private const string ConsumeInOrder =
        """select functions.consume_queue('emails', 'f', '{"role": "service_role", "ordered": true, "dead_letter_queue": "default"}')""";

    [Fact]
    public async Task A_superuser_makes_queues_which_the_sidecar_consumes()
    {
        await using var harness = await InstallAsync();
        var error = await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync("select functions.create_queue('emails')"));
        Assert.Equal(
            (PostgresErrorCodes.InsufficientPrivilege, true),
            (error.SqlState, error.Hint?.EndsWith("select functions.create_queue('emails');", StringComparison.Ordinal))
        );
        await harness.AsSuperuserAsync("select functions.create_queue('emails')");
        await harness.ExecuteAsync("insert into functions_private.functions (name) values ('f')");
        await harness.ExecuteAsync(Consume);
        Assert.Equal(
            "default: 0, emails: 0, theirs: ",
            await harness.ScalarAsync<string>("select string_agg(concat(name, ': ', depth), ', ' order by name) from functions.queues")
        );

        error = await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync(ConsumeInOrder));
        Assert.Contains("ordered", error.MessageText, StringComparison.Ordinal);
        await harness.AsSuperuserAsync(ConsumeInOrder);

        await using var server = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        await using (var take = server.CreateCommand("insert into pgmq.q_emails (vt, message) values (now(), '1')"))
            await take.ExecuteNonQueryAsync();
        await using (var take = server.CreateCommand("delete from pgmq.q_emails returning message::text"))
            Assert.Equal("1", await take.ExecuteScalarAsync());
        await harness.AsSuperuserAsync("set role service_role; select pgmq.send('default', '{}')");
    }

    [Fact]
    public async Task Queues_of_the_superuser_are_consumed_when_they_are_handed_over()
    {
        await using var harness = await InstallAsync();
        await harness.ExecuteAsync("insert into functions_private.functions (name) values ('f')");
        await harness.AsSuperuserAsync("select pgmq.create('emails')");
        var error = await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync(Consume));
        Assert.Equal($"alter table pgmq.{Table(error)} owner to {harness.Owner};", error.Hint);
        await harness.AsSuperuserAsync(error.Hint!);
        error = await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync(Consume));
        await harness.AsSuperuserAsync(error.Hint!);
        await harness.ExecuteAsync(Consume);

        static string Table(PostgresException error) =>
            error.MessageText.Contains("pgmq.q_emails", StringComparison.Ordinal) ? "q_emails" : "a_emails";
    }

    [Fact]
    public async Task The_owner_can_add_no_code_to_the_extension_and_an_uninstallation_leaves_it_as_it_was()
    {
        await using var harness = await InstallAsync();
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            harness.ExecuteAsync("create function pgmq.send(text, text) returns bigint language sql as 'select 1::bigint'")
        );
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, error.SqlState);
        await harness.ExecuteAsync("insert into functions_private.functions (name) values ('f')");
        await harness.AsSuperuserAsync("select functions.create_queue('emails')");
        await harness.AsSuperuserAsync(ConsumeInOrder);
        await harness.ExecuteAsync("select functions.uninstall()");
        Assert.Equal(
            "q_emails_pkey, q_emails_vt_idx",
            await harness.ScalarAsync<string>(
                "select string_agg(indexname, ', ' order by indexname) from pg_indexes where schemaname = 'pgmq' and tablename = 'q_emails'"
            )
        );
        await harness.AsSuperuserAsync("select pgmq.send('emails', '{}')");
    }

    [Theory]
    [InlineData(
        "create function pgmq.validate_queue_name(queue_name varchar) returns void language plpgsql as 'begin execute ''alter role pgmq_thief superuser''; end'; "
            + "alter function pgmq.validate_queue_name(varchar) owner to pgmq_thief"
    )]
    [InlineData(
        "create function theft() returns trigger language plpgsql as 'begin execute ''alter role pgmq_thief superuser''; return new; end'; "
            + "create trigger theft after insert on pgmq.meta execute function theft(); alter function theft owner to pgmq_thief"
    )]
    public async Task Code_that_another_role_has_put_into_the_extension_does_not_run_as_the_superuser(string code)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false, prepare: async database =>
        {
            await RegisterExtensionAsync(database);
            await database.ExecuteAsync(
                $"do $$ begin create role pgmq_thief; exception when duplicate_object or unique_violation then null; end $$; {code}"
            );
        });
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions.queues"));
        Assert.False(await harness.ScalarAsync<bool>("select rolsuper from pg_roles where rolname = 'pgmq_thief'"));
    }

    [Fact]
    public async Task Without_rights_to_the_extension_there_are_no_queues_and_everything_else_works()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await RegisterExtensionAsync(database);
        var owner = "owner_" + Guid.NewGuid().ToString("n")[..16];
        await TestDatabase.MakeRolesAsync();
        await database.ExecuteAsync(
            $"create role {owner} login createrole replication password 'secret'; alter database \"{database.Name}\" owner to {owner}"
        );
        var report = await Migrator.ApplyAsync(
            NpgsqlDataSource.Create(
                new NpgsqlConnectionStringBuilder(database.ConnectionString)
                {
                    Username = owner,
                    Password = "secret",
                    Pooling = false,
                }
            ),
            TestContext.Current.CancellationToken
        );
        Assert.Contains(report.Warnings, warning => warning.StartsWith("There are no queues in this database", StringComparison.Ordinal));
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync($"set role {owner}; select functions.create_queue('q')")
        );
        Assert.Contains("pgfn install", error.Hint, StringComparison.Ordinal);
        await database.ExecuteAsync($"reset role; drop owned by {owner} cascade; alter database \"{database.Name}\" owner to current_user");
        await database.ExecuteAsync($"drop role {owner}");
    }

    private static Task<InstallationHarness> InstallAsync() =>
        InstallationHarness.CreateAsync(isNewer: false, withServer: true, prepare: RegisterExtensionAsync);

    /// <summary>An installation by the superuser leaves its schema of queues when it is uninstalled, since a queue has a message.</summary>
    private static async Task RegisterExtensionAsync(TestDatabase database)
    {
        await Migrator.ApplyAsync(database.Owner, TestContext.Current.CancellationToken);
        await database.ExecuteAsync(
            "select functions.create_queue('theirs'); select pgmq.send('theirs', '{}'); select functions.uninstall()"
        );
        await database.ExecuteAsync(
            """
            select pgmq.drop_queue('default');
            drop owned by service_role;
            comment on schema pgmq is null;
            insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
            select 900000, 'pgmq', n.nspowner, n.oid, false, '1.13.1' from pg_namespace n where n.nspname = 'pgmq'
            """
        );
    }
}
