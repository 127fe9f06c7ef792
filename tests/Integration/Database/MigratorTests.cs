using Functions.PgSidecar.Postgres.Data;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class MigratorTests
{
    [Fact]
    public async Task A_second_run_applies_nothing()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var first = await Migrator.ApplyAsync(database.Owner, CancellationToken.None);
        var second = await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.Contains("0001_registry.sql", first.Applied);
        Assert.Contains("deploy.sql", first.Applied);
        Assert.Empty(second.Applied);
        // The tests' own login is a superuser.
        Assert.Contains("is a superuser", Assert.Single(second.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sidecars_that_start_at_once_apply_everything_once()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var reports = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Migrator.ApplyAsync(database.Owner, CancellationToken.None))));

        Assert.Single(reports, report => report.Applied.Count > 0);
    }

    [Fact]
    public async Task A_function_whose_text_differs_is_applied_again()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("drop function functions.enable(text); update functions_private.routines set hash = 'another' where name = 'enable.sql'");

        var report = await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.Equal(["enable.sql"], report.Applied);
        Assert.True(await database.ScalarAsync<bool>("select to_regprocedure('functions.enable(text)') is not null"));
    }

    [Fact]
    public async Task An_edited_migration_and_an_unknown_one_are_each_named()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("""
            update functions_private.migrations set hash = 'edited' where name = '0002_invocations.sql';
            insert into functions_private.migrations (name, hash) values ('9999_future.sql', 'x');
            """);

        var exception = await Assert.ThrowsAsync<MigrationException>(() => Migrator.ApplyAsync(database.Owner, CancellationToken.None));

        Assert.Equal(2, exception.Problems.Count);
        Assert.Contains(exception.Problems, problem => problem.Contains("9999_future.sql"));
        Assert.Contains(exception.Problems, problem => problem.Contains("0002_invocations.sql was edited"));
    }

    [Fact]
    public async Task An_owner_who_is_no_superuser_installs_with_createrole_and_replication()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await using var owner = await PlainOwner.CreateAsync(database, "createrole replication");

        await Migrator.ApplyAsync(owner.DataSource, CancellationToken.None);

        await using var deploy = owner.DataSource.CreateCommand("select functions.deploy('hello', 'export const handler = () => 1')");
        Assert.Equal(1, await deploy.ExecuteScalarAsync());
        await using var functions = new FunctionDatabase(owner.DataSource, TestDatabase.RoleKey, new FunctionDatabaseOptions { ConnectTimeout = TimeSpan.FromSeconds(60) });
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        await functions.QueryAsync(
            FunctionSession.User(FunctionSession.Alice), new FunctionStatement("select auth.uid()"), FunctionSession.Soon, json, CancellationToken.None);
        Assert.Equal($"\"{FunctionSession.Alice}\"", SqlResult.Parse(json.WrittenMemory).Json);
    }

    [Theory]
    [InlineData("LATIN1")]
    [InlineData("SQL_ASCII")]
    public async Task A_database_that_can_not_store_every_text_is_refused_before_anything_is_changed(string encoding)
    {
        var server = await PostgresServer.GetAsync();
        var name = $"pgfn_{encoding.ToLowerInvariant()}_{Environment.ProcessId}";
        await server.ExecuteAsync($"create database {name} encoding '{encoding}' template template0 locale 'C'");
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(server.ConnectionStringTo(name, pooling: false));
            var exception = await Assert.ThrowsAsync<MigrationException>(() => Migrator.ApplyAsync(dataSource, CancellationToken.None));
            Assert.Contains($"Database \"{name}\" is in the encoding {encoding}", Assert.Single(exception.Problems), StringComparison.Ordinal);
            await using var schemas = dataSource.CreateCommand("select count(*) from pg_namespace where nspname like 'functions%'");
            Assert.Equal(0L, await schemas.ExecuteScalarAsync());
        }
        finally
        {
            await server.ExecuteAsync($"drop database {name}");
        }
    }

    [Fact]
    public async Task Every_missing_right_is_named_with_what_grants_it()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await using var owner = await PlainOwner.CreateAsync(database, "", ownsDatabase: false);

        var exception = await Assert.ThrowsAsync<MigrationException>(() => Migrator.ApplyAsync(owner.DataSource, CancellationToken.None));

        Assert.Equal(3, exception.Problems.Count);
        Assert.Contains(exception.Problems, problem => problem.Contains("createrole;"));
        Assert.Contains(exception.Problems, problem => problem.Contains("replication;"));
        Assert.Contains(exception.Problems, problem => problem.Contains("owner to"));
        Assert.False(await database.ScalarAsync<bool>("select exists (select from pg_namespace where nspname like 'functions%')"));
    }

    [Fact]
    public async Task A_schema_auth_of_the_database_is_left_alone()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await database.ExecuteAsync("create schema auth; create function auth.uid() returns uuid language sql return null::uuid");

        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.True(await database.ScalarAsync<bool>("select to_regprocedure('auth.uid()') is not null and to_regprocedure('auth.jwt()') is null"));
    }

    [Fact]
    public async Task The_service_role_may_use_the_owners_tables_of_before_and_after()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await database.ExecuteAsync("create table before (id serial)");
        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);
        await database.ExecuteAsync("create table after (id serial)");

        Assert.True(await database.ScalarAsync<bool>("""
            select bool_and(has_table_privilege('service_role', t, 'select, insert, update, delete') and has_sequence_privilege('service_role', t || '_id_seq', 'usage')
                            and not has_table_privilege('anon', t, 'select'))
            from unnest(array['before', 'after']) t
            """));
    }

    [Fact]
    public async Task Nobody_but_the_owner_may_call_anything_except_the_policies_helpers_and_the_triggers_that_partitions_inherit()
    {
        await using var database = await TestDatabase.CreateAsync();
        Assert.Equal("capture_change capture_row claims role uid", await database.ScalarAsync<string>("""
            select string_agg(p.proname, ' ' order by p.proname) from pg_proc p
            where p.pronamespace in ('functions'::regnamespace, 'functions_private'::regnamespace) and has_function_privilege('anon', p.oid, 'execute')
            """));
        Assert.False(await database.ScalarAsync<bool>("""
            select bool_or(has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate, references, trigger'))
            from pg_class c, unnest(array['anon', 'authenticated', 'service_role', 'pgfn_anon', 'pgfn_service_role']) r
            where c.relnamespace in ('functions'::regnamespace, 'functions_private'::regnamespace) and c.relkind in ('r', 'p', 'v')
            """));
    }

    [Fact]
    public async Task Every_function_of_the_schema_is_commented_and_pins_its_search_path()
    {
        await using var database = await TestDatabase.CreateAsync();
        var offenders = await database.ScalarAsync<string>("""
            select string_agg(p.oid::regprocedure::text, ', ') from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname in ('functions', 'auth')
              and (obj_description(p.oid, 'pg_proc') is null
                   -- A procedure that commits can't have settings of its own; functions.call does nothing but call what has.
                   or n.nspname = 'functions' and p.proname <> 'call' and not exists (select from unnest(p.proconfig) c where c ~ '^search_path=pg_catalog, .*pg_temp$'))
            """);
        Assert.Null(offenders);
    }
}

/// <summary>A login that is no superuser.</summary>
internal sealed class PlainOwner : IAsyncDisposable
{
    private readonly TestDatabase database;
    private readonly string name;

    private PlainOwner(TestDatabase database, string name)
    {
        this.database = database;
        this.name = name;
        ConnectionString = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = name, Password = "plain", Pooling = false }.ConnectionString;
        DataSource = NpgsqlDataSource.Create(ConnectionString);
    }

    private string ConnectionString { get; }

    public NpgsqlDataSource DataSource { get; }

    public static async Task<PlainOwner> CreateAsync(TestDatabase database, string attributes, bool ownsDatabase = true)
    {
        var name = "plain_" + database.Name[^12..];
        await database.ExecuteAsync($"create role {name} login password 'plain' {attributes}");
        if (ownsDatabase) await database.ExecuteAsync($"alter database \"{database.Name}\" owner to {name}");
        return new PlainOwner(database, name);
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await database.ExecuteAsync($"alter database \"{database.Name}\" owner to current_user; drop owned by {name} cascade; drop role {name}");
    }
}
