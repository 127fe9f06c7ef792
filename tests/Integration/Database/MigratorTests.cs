using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Statements;
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

        Assert.Contains("0001_foundation.sql", first.Applied);
        Assert.Contains("registry/deploy.sql", first.Applied);
        Assert.Empty(second.Applied);
        // The login of the tests is a superuser.
        Assert.Contains("is a superuser", Assert.Single(second.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sidecars_that_start_at_the_same_time_apply_each_migration_once()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var reports = await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => Task.Run(() => Migrator.ApplyAsync(database.Owner, CancellationToken.None)))
        );

        Assert.Single(reports, report => report.Applied.Count > 0);
    }

    [Fact]
    public async Task Migration_that_the_server_ends_to_resolve_a_deadlock_is_repeated()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("update functions_private.routines set hash = 'another' where name = 'registry/enable.sql'");
        await using var other = await database.Owner.OpenConnectionAsync();
        // The server ends the session that looks for a deadlock first: not this one.
        await ExecuteAsync("set deadlock_timeout = '1min'; begin; lock table functions_private.installation");
        var migrating = Task.Run(() => Migrator.ApplyAsync(database.Owner, CancellationToken.None));
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>(
                "select exists (select from pg_locks where relation = 'functions_private.installation'::regclass and not granted)"
            )
        );
        await ExecuteAsync("lock table functions_private.migrations; rollback");

        Assert.Equal(["registry/enable.sql"], (await migrating).Applied);

        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, other);
            await command.ExecuteNonQueryAsync();
        }
    }

    [Fact]
    public async Task Changed_routine_is_applied_again()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "drop function functions.enable(text); update functions_private.routines set hash = 'another' where name = 'registry/enable.sql'"
        );

        var report = await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.Equal(["registry/enable.sql"], report.Applied);
        Assert.True(await database.ScalarAsync<bool>("select to_regprocedure('functions.enable(text)') is not null"));
    }

    [Fact]
    public async Task Functions_that_the_sidecar_makes_get_the_source_of_the_release()
    {
        await using var database = await TestDatabase.CreateAsync();
        // As create_trigger's option url makes them, which needs the key of a sidecar.
        await database.ExecuteAsync(
            """
            select functions.deploy(f, '// of the former release') from unnest(array['hook', 'mine']) f;
            update functions_private.functions set url_target = true where name = 'hook';
            update functions_private.routines set hash = 'x' where name = 'triggers/url_target_source.sql';
            """
        );

        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.Equal(
            "hook 1 False|hook 2 True|mine 1 False",
            await database.ScalarAsync<string>(
                """
                select string_agg(concat_ws(' ', function, version, case when source = functions_private.url_target_source() then 'True' else 'False' end),
                    '|' order by function, version)
                from functions_private.versions
                """
            )
        );
        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);
        Assert.Equal(3L, await database.ScalarAsync<long>("select count(*) from functions_private.versions"));
    }

    [Fact]
    public async Task Routines_and_views_without_a_file_are_dropped()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            create function functions.former(integer, timestamptz, double precision[]) returns void language sql as 'select null';
            create view functions.former_view as select 1 as one;
            insert into functions_private.routines (name, hash, objects)
            select 'registry/former.sql', 'x', array['routine ' || p.oid::regprocedure] from pg_proc p where p.proname = 'former'
            union all values ('views/former_view.sql', 'x', array['view functions.former_view']);
            """
        );

        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.False(
            await database.ScalarAsync<bool>(
                "select exists (select from pg_proc where proname = 'former') or to_regclass('functions.former_view') is not null"
            )
        );
        Assert.Equal(
            0L,
            await database.ScalarAsync<long>(
                "select count(*) from functions_private.routines where name in ('registry/former.sql', 'views/former_view.sql')"
            )
        );
    }

    [Fact]
    public async Task Routine_with_changed_parameters_replaces_the_old_one()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            create function functions.enable(name text, why text) returns void language sql as 'select null';
            update functions_private.routines set hash = 'x', objects = '{"routine functions.enable(text,text)"}' where name = 'registry/enable.sql';
            """
        );

        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.Equal(
            "functions.enable(text)",
            await database.ScalarAsync<string>(
                "select string_agg(oid::regprocedure::text, ', ') from pg_proc where proname = 'enable' and pronamespace = 'functions'::regnamespace"
            )
        );
    }

    [Theory]
    [InlineData(
        "update functions_private.routines set hash = 'x' where name = 'views/results.sql'; drop view functions.results; create view functions.results as select 1 as other"
    )]
    [InlineData(
        """
            update functions_private.routines set hash = 'x' where name = 'triggers/trigger_problems.sql';
            drop view functions.triggers, functions.embeddings; drop function functions_private.trigger_problems();
            create function functions_private.trigger_problems() returns setof integer language sql as 'select 1';
            create view functions.triggers as select functions_private.trigger_problems()
            """
    )]
    public async Task Objects_that_cannot_be_replaced_in_place_are_recreated(string former)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(former);

        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.Equal(0L, await database.ScalarAsync<long>("select count(*) from functions.triggers"));
        Assert.Equal(0L, await database.ScalarAsync<long>("select count(finished_at) from functions.results"));
        Assert.Empty((await Migrator.ApplyAsync(database.Owner, CancellationToken.None)).Applied);
    }

    [Fact]
    public async Task Edited_and_unknown_migrations_are_named_in_the_error()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            update functions_private.migrations set hash = 'edited' where name = '0005_invocations.sql';
            insert into functions_private.migrations (name, hash) values ('9999_future.sql', 'x');
            """
        );

        var exception = await Assert.ThrowsAsync<MigrationException>(() => Migrator.ApplyAsync(database.Owner, CancellationToken.None));

        Assert.Equal(2, exception.Problems.Count);
        Assert.Contains(exception.Problems, problem => problem.Contains("9999_future.sql"));
        Assert.Contains(exception.Problems, problem => problem.Contains("0005_invocations.sql was edited"));
    }

    [Fact]
    public async Task Owner_with_CREATEROLE_and_REPLICATION_installs_without_superuser_rights()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await using var owner = await PlainOwner.CreateAsync(database, "createrole replication");

        await Migrator.ApplyAsync(owner.DataSource, CancellationToken.None);

        await using var deploy = owner.DataSource.CreateCommand("select functions.deploy('hello', 'export const handler = () => 1')");
        Assert.Equal(1, await deploy.ExecuteScalarAsync());
        await using var functions = new FunctionDatabase(
            owner.DataSource,
            TestDatabase.RoleKey,
            new FunctionDatabaseOptions { ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        await functions.QueryAsync(
            FunctionSession.User(FunctionSession.Alice),
            new FunctionStatement("select auth.uid()"),
            FunctionSession.Soon,
            json,
            CancellationToken.None
        );
        Assert.Equal($"\"{FunctionSession.Alice}\"", SqlResult.Parse(json.WrittenMemory).Json);
    }

    [Theory]
    [InlineData("LATIN1")]
    [InlineData("SQL_ASCII")]
    public async Task Database_without_UTF8_is_refused_before_any_change(string encoding)
    {
        var server = await PostgresServer.GetAsync();
        var name = $"pgfn_{encoding.ToLowerInvariant()}_{Environment.ProcessId}";
        await server.ExecuteAsync($"create database {name} encoding '{encoding}' template template0 locale 'C'");
        try
        {
            await using var dataSource = NpgsqlDataSource.Create(server.ConnectionStringTo(name, pooling: false));
            var exception = await Assert.ThrowsAsync<MigrationException>(() => Migrator.ApplyAsync(dataSource, CancellationToken.None));
            Assert.Contains(
                $"Database \"{name}\" is in the encoding {encoding}",
                Assert.Single(exception.Problems),
                StringComparison.Ordinal
            );
            await using var schemas = dataSource.CreateCommand("select count(*) from pg_namespace where nspname like 'functions%'");
            Assert.Equal(0L, await schemas.ExecuteScalarAsync());
        }
        finally
        {
            await server.ExecuteAsync($"drop database {name}");
        }
    }

    [Fact]
    public async Task Every_missing_right_is_named_with_its_grant()
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
    public async Task Existing_schema_auth_is_left_alone()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await database.ExecuteAsync("create schema auth; create function auth.uid() returns uuid language sql return null::uuid");

        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);

        Assert.True(
            await database.ScalarAsync<bool>("select to_regprocedure('auth.uid()') is not null and to_regprocedure('auth.jwt()') is null")
        );
    }

    [Fact]
    public async Task Service_role_can_use_existing_and_future_tables_of_the_owner()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        await database.ExecuteAsync("create table before (id serial)");
        await Migrator.ApplyAsync(database.Owner, CancellationToken.None);
        await database.ExecuteAsync("create table after (id serial)");

        Assert.True(
            await database.ScalarAsync<bool>(
                """
                select bool_and(has_table_privilege('service_role', t, 'select, insert, update, delete') and has_sequence_privilege('service_role', t || '_id_seq', 'usage')
                                and not has_table_privilege('anon', t, 'select'))
                from unnest(array['before', 'after']) t
                """
            )
        );
    }

    [Fact]
    public async Task Only_the_owner_can_call_routines_except_policy_helpers_and_inherited_triggers()
    {
        await using var database = await TestDatabase.CreateAsync();
        Assert.Equal(
            "capture_change capture_row claims role uid",
            await database.ScalarAsync<string>(
                """
                select string_agg(p.proname, ' ' order by p.proname) from pg_proc p
                where p.pronamespace in ('functions'::regnamespace, 'functions_private'::regnamespace) and has_function_privilege('anon', p.oid, 'execute')
                """
            )
        );
        Assert.False(
            await database.ScalarAsync<bool>(
                """
                select bool_or(has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate, references, trigger'))
                from pg_class c, unnest(array['anon', 'authenticated', 'service_role', 'pgfn_anon', 'pgfn_service_role']) r
                where c.relnamespace in ('functions'::regnamespace, 'functions_private'::regnamespace) and c.relkind in ('r', 'p', 'v')
                """
            )
        );
    }

    [Fact]
    public async Task Every_function_of_the_schema_is_commented_and_pins_its_search_path()
    {
        await using var database = await TestDatabase.CreateAsync();
        var offenders = await database.ScalarAsync<string>(
            """
            select string_agg(p.oid::regprocedure::text, ', ') from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname in ('functions', 'auth')
              and (obj_description(p.oid, 'pg_proc') is null
                   -- A procedure that commits can't have settings of its own; functions.call does nothing but call what has.
                   or n.nspname = 'functions' and p.proname <> 'call' and not exists (select from unnest(p.proconfig) c where c ~ '^search_path=pg_catalog, .*pg_temp$'))
            """
        );
        Assert.Null(offenders);
    }
}

/// <summary>A login without superuser rights.</summary>
internal sealed class PlainOwner : IAsyncDisposable
{
    private readonly TestDatabase database;
    private readonly string name;

    private PlainOwner(TestDatabase database, string name)
    {
        this.database = database;
        this.name = name;
        ConnectionString = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Username = name,
            Password = "plain",
            Pooling = false,
        }.ConnectionString;
        DataSource = NpgsqlDataSource.Create(ConnectionString);
    }

    private string ConnectionString { get; }

    public NpgsqlDataSource DataSource { get; }

    public static async Task<PlainOwner> CreateAsync(TestDatabase database, string attributes, bool ownsDatabase = true)
    {
        var name = "plain_" + database.Name[^12..];
        await database.ExecuteAsync($"create role {name} login password 'plain' {attributes}");
        // From PostgreSQL 16 on, CREATEROLE manages no roles that others created. `pgfn install` grants the same.
        await database.ExecuteAsync(
            $"""
            do $do$
            declare r name;
            begin
                if current_setting('server_version_num')::integer >= 160000 then
                    for r in select p.rolname from pg_roles p where p.rolname in ('anon', 'authenticated', 'service_role', 'pgfn_anon',
                                 'pgfn_authenticated', 'pgfn_service_role', 'pgfn_conditions') loop
                        execute format('grant %I to {name} with admin true, inherit false, set false', r);
                    end loop;
                end if;
            end $do$
            """
        );
        if (ownsDatabase)
            await database.ExecuteAsync($"alter database \"{database.Name}\" owner to {name}");
        return new PlainOwner(database, name);
    }

    public async ValueTask DisposeAsync()
    {
        await DataSource.DisposeAsync();
        await database.ExecuteAsync(
            $"alter database \"{database.Name}\" owner to current_user; drop owned by {name} cascade; drop role {name}"
        );
    }
}
