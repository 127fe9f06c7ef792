using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>What whoever steals the login that only serves can't do.</summary>
public sealed class ServerLoginTests
{
    /// <summary>Whether the server is PostgreSQL 18, if its programs are installed.</summary>
    public static TheoryData<bool> Servers => NewerServer.IsInstalled ? [false, true] : [false];

    [Theory, MemberData(nameof(Servers))]
    public async Task Login_can_change_no_object_role_or_server(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer, withServer: true);
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        await harness.ExecuteAsync("create table orders (id int primary key)");
        foreach (
            var attempt in (string[])
                [
                    $"set role {harness.Owner}",
                    $"set session authorization {harness.Owner}",
                    $"grant {harness.Owner} to {harness.Server}",
                    $"grant pg_execute_server_program to {harness.Server}",
                    $"grant service_role to {harness.Server}",
                    "create role mine",
                    $"alter role {harness.Server} createrole",
                    $"alter role {harness.Owner} password 'x'",
                    $"alter role {harness.Replicator} password 'x'",
                    "alter role pgfn_anon password 'x'",
                    "create table public.mine (n int)",
                    "create table functions_private.mine (n int)",
                    "create function functions_serving.mine() returns int language sql as 'select 1'",
                    "create schema mine",
                    "create publication mine for all tables",
                    "create event trigger mine on ddl_command_end execute function functions_private.guard()",
                    "alter table orders add column n int",
                    "select * from orders",
                    "insert into orders values (1)",
                    "create trigger mine before insert on functions_private.events for each row execute function functions_private.capture_row()",
                    "alter table functions_private.roles add column n int",
                    "drop table functions_private.settings",
                    "truncate functions_private.events",
                    "alter function functions_serving.end_reader(integer) security invoker",
                    "create or replace function functions_serving.end_reader(pid integer) returns void language sql as 'select'",
                    "copy (select 1) to program 'id'",
                    "copy (select 1) to '/tmp/pgfn'",
                    "create temporary table t (n text); copy t from program 'id'",
                    "select pg_read_file('/etc/passwd')",
                    "select * from pg_authid",
                    "alter system set work_mem = '1MB'",
                    "select pg_create_logical_replication_slot('mine', 'pgoutput')",
                    "select functions_replication.create_slot()",
                    // What decides about rights is written by the owner only.
                    $"insert into functions_private.roles values ('{harness.Owner}', 'pgfn_anon')",
                    $"update functions_private.roles set login = '{harness.Owner}'",
                    $"insert into functions_private.servers (login) values ('anon')",
                    "update functions_private.routines set objects = '{\"table orders\"}'",
                    "insert into functions_private.routines (name, hash, objects) values ('x', '', '{\"table public.orders\"}')",
                    "delete from functions_private.migrations",
                    "update functions_private.installation set database = 0",
                    "update functions_private.context_key set inner_pad = outer_pad",
                    "insert into functions_private.login_sessions select pid, backend_start from pg_stat_activity",
                    "update functions_private.api_keys set scopes = '{*}'",
                    "select functions.create_api_key('mine', '{*}')",
                    $"select functions.grant_server('{harness.Server}')",
                    "select functions.create_trigger('mine', 'noting', 'orders')",
                    "select functions.create_queue('mine')",
                    "select functions.uninstall('{\"force\": true}')",
                    "select functions_private.set_login_password('pgfn_anon', 'SCRAM-SHA-256$4096:YQ==$YQ==:YQ==')",
                    "select functions_private.initialize_copy('1', 1, 'discard')",
                ]
        )
        {
            await using var command = thief.CreateCommand(attempt);
            var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
            Assert.True(
                refused.SqlState is PostgresErrorCodes.InsufficientPrivilege,
                $"{attempt}: {refused.SqlState} {refused.MessageText}"
            );
        }
        Assert.Equal(
            "",
            await harness.ScalarAsync<string>(
                $"""
                select coalesce(string_agg(d.classid::regclass::text || ' ' || d.objid, ', '), '') from pg_shdepend d
                where d.refobjid = '{harness.Server}'::regrole and d.deptype = 'o'
                """
            )
        );
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task Login_sets_passwords_and_settings_of_logins_of_functions_only(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer, withServer: true);
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        const string Verifier = "SCRAM-SHA-256$4096:cGVwcGVy$YQ==:YQ==";
        await harness.AsSuperuserAsync($"create role {harness.Owner}_app login; grant pg_monitor to {harness.Owner}_app");
        var superuser = await harness.ScalarAsync<string>("select rolname::text from pg_roles where oid = 10");
        foreach (
            var role in (string[])
                [
                    harness.Owner,
                    harness.Replicator,
                    harness.Server,
                    harness.Owner + "_app",
                    "anon",
                    "service_role",
                    superuser,
                    "none_such",
                    "pgfn_none_such",
                ]
        )
        {
            foreach (
                var attempt in (string[])
                    [
                        $"select functions_serving.set_login_password('{role}', '{Verifier}')",
                        $"select functions_serving.reset_login('{role}')",
                        $"select functions_serving.end_login_session(1, '{role}') where exists (select from pg_roles where rolname = '{role}')",
                    ]
            )
            {
                await using var command = thief.CreateCommand(attempt);
                if (attempt.Contains("end_login_session", StringComparison.Ordinal) && role.EndsWith("none_such", StringComparison.Ordinal))
                    continue;
                var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
                Assert.Contains(refused.SqlState, (string[])[PostgresErrorCodes.InsufficientPrivilege, PostgresErrorCodes.UndefinedObject]);
            }
        }
        foreach (var text in (string?[])["plain", "md5abc", "x' superuser password 'y", "SCRAM-SHA-256$4096:a$b:c' superuser --", null])
        {
            await using var command = thief.CreateCommand("select functions_serving.set_login_password('pgfn_conditions', $1)");
            command.Parameters.AddWithValue(NpgsqlTypes.NpgsqlDbType.Text, (object?)text ?? DBNull.Value);
            Assert.Equal(
                PostgresErrorCodes.InvalidParameterValue,
                (await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync())).SqlState
            );
        }
    }

    [Fact]
    public async Task Login_of_a_role_that_gained_rights_is_not_touched()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false, withServer: true);
        var role = harness.Owner + "_app";
        await harness.AsSuperuserAsync($"create role {role}; create role {role}_more");
        await harness.LetManageAsync(role);
        await harness.ExecuteAsync($"select functions.grant_role('{role}')");
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        try
        {
            await SetAsync();
            foreach (
                var (change, undo) in new[]
                {
                    ($"alter role {role} createrole", $"alter role {role} nocreaterole"),
                    ($"alter role pgfn_{role} bypassrls", $"alter role pgfn_{role} nobypassrls"),
                    ($"grant {role}_more to pgfn_{role}", $"revoke {role}_more from pgfn_{role}"),
                }
            )
            {
                await harness.AsSuperuserAsync(change);
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, (await Assert.ThrowsAsync<PostgresException>(SetAsync)).SqlState);
                await harness.AsSuperuserAsync(undo);
                await SetAsync();
            }
        }
        finally
        {
            await harness.AsSuperuserAsync(
                $"drop owned by pgfn_{role}, {role}; drop role pgfn_{role}; drop role {role}_more; delete from functions_private.roles where role = '{role}'"
            );
        }

        async Task SetAsync()
        {
            await using var command = thief.CreateCommand(
                $"select functions_serving.set_login_password('pgfn_{role}', 'SCRAM-SHA-256$4096:cGVwcGVy$YQ==:YQ==')"
            );
            await command.ExecuteNonQueryAsync();
        }
    }

    [Fact]
    public async Task Login_ends_no_session_of_the_owner_or_of_others()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false, withServer: true);
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        await using var session = await harness.Source.OpenConnectionAsync();
        // It can't plant a session in the list of those to be ended, or name another kind of session.
        foreach (
            var attempt in (string[])
                [
                    $"select pg_terminate_backend({session.ProcessID})",
                    $"select functions_serving.end_login_session({session.ProcessID}, '{harness.Owner}')",
                    $"select functions_serving.end_login_session({session.ProcessID}, 'pgfn_anon')",
                    $"select functions_serving.end_reader({session.ProcessID})",
                    "select functions_serving.end_former_inboxes()",
                    $"select functions_serving.register_session({session.ProcessID})",
                    "select functions_serving.guard_logins('0')",
                ]
        )
        {
            await using var command = thief.CreateCommand(attempt);
            try
            {
                await command.ExecuteNonQueryAsync();
            }
            catch (PostgresException e)
            {
                Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, e.SqlState);
            }
        }
        await using var alive = new NpgsqlCommand("select count(*) from functions_private.login_sessions", session);
        Assert.Equal(0L, await alive.ExecuteScalarAsync());
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task Planted_rows_make_no_routine_touch_what_is_not_the_owners(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer, withServer: true);
        await harness.CreateTriggerAsync();
        await harness.AsSuperuserAsync(
            "create schema others; create table others.secrets (id int primary key, body text); insert into others.secrets values (1, 'x'); create table public.theirs (id int primary key)"
        );
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        // As rows only, without the checks of create_trigger.
        foreach (
            var table in (string[])
                ["others.secrets", "public.theirs", "functions_private.context_key", "functions_private.roles", "pg_catalog.pg_class"]
        )
        {
            var oid = await harness.ScalarAsync<uint>(
                $"select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname || '.' || c.relname = '{table}'"
            );
            await ExecuteAsync(
                $"""
                insert into functions_private.triggers (name, function, relation, operations, since_lsn)
                values ('planted', 'noting', {oid}, '{"{INSERT,UPDATE,DELETE}"}', '0/0')
                """
            );
            foreach (
                var attempt in (string[])
                    [
                        $"select functions_serving.capture_table('{table}')",
                        $"select functions_serving.apply_change_plan('{table}')",
                        $"select functions_serving.open_backfill({oid})",
                        $"select functions_serving.create_trigger('planted', 'noting', '{table}', '{"{INSERT}"}', '{"{}"}')",
                    ]
            )
            {
                var refused = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(attempt));
                Assert.Contains(refused.SqlState, (string[])[PostgresErrorCodes.InsufficientPrivilege, PostgresErrorCodes.WrongObjectType]);
            }
            await ExecuteAsync(
                "delete from functions_private.triggers where name = 'planted'; delete from functions_private.former_triggers"
            );
        }
        Assert.Equal(
            0L,
            await harness.ScalarAsync<long>(
                """
                select count(*) from pg_trigger g join pg_class c on c.oid = g.tgrelid where g.tgname like 'functions\_%' and c.relname <> 'things'
                """
            )
        );
        foreach (
            var attempt in (string[])
                [
                    "select functions_serving.make_partition('context_key', '2020-01-01')",
                    "select functions_serving.make_partition('events; drop table public.things', '2020-01-01')",
                    "select functions_serving.maintain_partitions('0')",
                    "select functions_serving.create_queue('x; drop table things')",
                    "select functions_serving.drop_queue('default')",
                    "select functions_serving.drop_trigger('x')",
                    "select functions_serving.consume_queue('default', 'none', '{}')",
                ]
        )
            await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(attempt));
        Assert.True(await harness.ScalarAsync<bool>("select to_regclass('public.things') is not null"));

        async Task ExecuteAsync(string sql)
        {
            await using var command = thief.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Where PUBLIC may create tables (databases from before PostgreSQL 15), the login has some of its own.</summary>
    [Fact]
    public async Task Code_of_a_table_of_the_login_does_not_run_with_the_owners_rights()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false, withServer: true);
        await harness.AsSuperuserAsync("grant create on schema public to public");
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        const string Prepare = """
            create function public.steal() returns boolean immutable language plpgsql as $$ begin create role stolen; return true; end $$;
            create table public.trap (id int primary key);
            """;
        await ExecuteAsync(Prepare);
        var oid = await harness.ScalarAsync<uint>("select 'public.trap'::regclass::oid");
        foreach (
            var (change, undo) in new[]
            {
                (
                    "alter table public.trap enable row level security, force row level security; create policy p on public.trap using (public.steal())",
                    "drop policy p on public.trap; alter table public.trap disable row level security"
                ),
                ("alter table public.trap add check (public.steal() and id > 0) not valid", "select"),
            }
        )
        {
            await ExecuteAsync(change);
            foreach (var path in (string[])["pg_catalog", "public, pg_catalog"])
            {
                try
                {
                    await ExecuteAsync(
                        $"set row_security = on; set constraint_exclusion = on; set search_path = {path}; begin; select functions_serving.open_backfill({oid}); fetch all from backfill; commit"
                    );
                }
                catch (PostgresException e)
                {
                    Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, e.SqlState);
                }
            }
            await ExecuteAsync(undo);
        }
        Assert.False(await harness.ScalarAsync<bool>("select exists (select from pg_roles where rolname = 'stolen')"));

        // A setting of the session that changes how names are printed.
        await harness.ExecuteAsync("select functions.deploy('noting', 'export const handler = () => null;')");
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            ExecuteAsync(
                "set quote_all_identifiers = on; select functions_serving.create_trigger('mine', 'noting', 'functions_private.settings', '{INSERT}', '{}')"
            )
        );
        Assert.Equal(PostgresErrorCodes.WrongObjectType, refused.SqlState);

        async Task ExecuteAsync(string sql)
        {
            await using var command = thief.CreateCommand(sql);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>In the routines' search paths temporary objects come last, and no schema is in which others may create.</summary>
    [Fact]
    public async Task Temporary_objects_of_the_login_are_not_used_with_the_owners_rights()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false, withServer: true);
        await using var thief = NpgsqlDataSource.Create(harness.ConnectionString(harness.Server));
        await using var connection = await thief.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(
            """
            create function pg_temp.to_char(timestamptz, text) returns text language plpgsql as $$ begin execute 'create role stolen'; return ''; end $$;
            create function pg_temp.now() returns timestamptz language plpgsql as $$ begin execute 'create role stolen'; return null; end $$;
            create temporary table pg_class (oid oid); create temporary table pg_roles (rolname name);
            set search_path = pg_temp, pg_catalog;
            select functions_serving.maintain_partitions('7 days'), functions_serving.guard_logins('1 hour'), functions_serving.register_session(1)
            """,
            connection
        );
        await command.ExecuteNonQueryAsync();
        Assert.False(await harness.ScalarAsync<bool>("select exists (select from pg_roles where rolname = 'stolen')"));
    }
}
