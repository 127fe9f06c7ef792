using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>The rights of the login that only serves, which logins may get them, and what is left of them.</summary>
public sealed class ServerLoginRightsTests
{
    [Theory, MemberData(nameof(ServerLoginTests.Servers), MemberType = typeof(ServerLoginTests))]
    public async Task Login_has_exactly_these_rights(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer, withServer: true);
        var server = $"'{harness.Server}'::regrole";
        Assert.Equal(
            """
            functions: view SELECT
            functions_private.api_keys: SELECT
            functions_private.context_key: SELECT
            functions_private.installation: SELECT
            functions_private.login_sessions: SELECT
            functions_private.migrations: SELECT
            functions_private.roles: SELECT
            functions_private.routines: SELECT
            functions_private.servers: SELECT
            functions_private: DELETE, INSERT, SELECT, UPDATE
            pgmq.meta: SELECT
            pgmq: DELETE, INSERT, SELECT, UPDATE
            """.ReplaceLineEndings("\n"),
            await harness.ScalarAsync<string>(
                $"""
                with held as (
                    select n.nspname, c.relname, c.relkind, string_agg(a.privilege_type, ', ' order by a.privilege_type) as rights
                    from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a where a.grantee = {server}
                    group by n.nspname, c.relname, c.relkind
                )
                select string_agg(distinct (case when h.relkind = 'v' then h.nspname || ': view ' || h.rights
                    when h.rights = 'SELECT' then h.nspname || '.' || h.relname || ': ' || h.rights
                    else h.nspname || ': ' || h.rights end) collate "C", chr(10)) from held h
                """
            )
        );
        Assert.Equal(
            "functions_private.api_keys.last_used_at UPDATE",
            await harness.ScalarAsync<string>(
                $"""
                select string_agg(t.attrelid::regclass::text || '.' || t.attname || ' ' || a.privilege_type, ', ')
                from pg_attribute t, aclexplode(t.attacl) a where a.grantee = {server}
                """
            )
        );
        Assert.Equal(
            "functions USAGE, functions_private USAGE, functions_serving USAGE, pgmq USAGE",
            await harness.ScalarAsync<string>(
                $"""
                select string_agg(n.nspname || ' ' || a.privilege_type, ', ' order by n.nspname)
                from pg_namespace n, aclexplode(n.nspacl) a where a.grantee = {server}
                """
            )
        );
        // With the owner's rights it runs the routines of functions_serving and nothing else. Nobody but such logins may call them.
        Assert.True(
            await harness.ScalarAsync<bool>(
                $"""
                select bool_and(p.pronamespace::regnamespace::text = 'functions_serving') from pg_proc p, aclexplode(p.proacl) a
                where p.prosecdef and a.grantee = {server}
                """
            )
        );
        Assert.Equal(
            0L,
            await harness.ScalarAsync<long>(
                $"""
                select count(*) from pg_proc p, aclexplode(p.proacl) a
                where p.pronamespace = 'functions_serving'::regnamespace and a.grantee not in ({server}, p.proowner)
                """
            )
        );
        Assert.Equal(
            0L,
            await harness.ScalarAsync<long>(
                "select count(*) from pg_proc p where p.pronamespace = 'functions_serving'::regnamespace and (not p.prosecdef or p.proacl is null)"
            )
        );
        Assert.Equal(0L, await harness.ScalarAsync<long>($"select count(*) from pg_auth_members where member = {server}"));
    }

    [Fact]
    public async Task Only_a_login_without_other_rights_may_serve_and_its_rights_can_be_taken_back()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false, withServer: true);
        foreach (var right in (string[])["createdb", "createrole", "superuser", "bypassrls", "replication"])
        {
            await harness.AsSuperuserAsync($"alter role {harness.Server} {right}");
            await RefusedAsync(harness.Server);
            Assert.Contains(
                "other rights",
                (await Assert.ThrowsAsync<MigrationException>(harness.InstallAsync)).Message,
                StringComparison.Ordinal
            );
            await harness.AsSuperuserAsync($"alter role {harness.Server} no{right}");
        }
        await harness.AsSuperuserAsync($"grant service_role to {harness.Server}");
        await RefusedAsync(harness.Server);
        await harness.AsSuperuserAsync($"revoke service_role from {harness.Server}");
        foreach (var role in (string[])[harness.Owner, harness.Replicator, "anon", "pgfn_anon", "pgfn_conditions", "none_such"])
            await RefusedAsync(role);
        await harness.InstallAsync();

        await harness.ExecuteAsync($"select functions.revoke_server('{harness.Server}')");
        Assert.Equal(
            "CONNECT",
            await harness.ScalarAsync<string>(
                $"""
                select string_agg(distinct a.privilege_type, ', ') from (
                    select relacl as acl from pg_class union all select proacl from pg_proc union all select nspacl from pg_namespace
                    union all select attacl from pg_attribute union all select datacl from pg_database union all select defaclacl from pg_default_acl
                ) o, aclexplode(o.acl) a where a.grantee = '{harness.Server}'::regrole
                """
            )
        );

        async Task RefusedAsync(string login)
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                harness.ExecuteAsync($"select functions.grant_server('{login}')")
            );
            Assert.Equal(PostgresErrorCodes.InvalidRoleSpecification, refused.SqlState);
        }
    }

    [Fact]
    public async Task Functions_cannot_run_as_a_role_whose_login_would_be_this_one()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand("create role server; select functions.grant_role('server')", connection);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.ReservedName, refused.SqlState);
    }

    [Theory, MemberData(nameof(ServerLoginTests.Servers), MemberType = typeof(ServerLoginTests))]
    public async Task Uninstall_takes_the_rights_back_and_names_the_login(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer, withServer: true);
        var done = await Uninstaller.RunAsync(harness.Source, "{}", CancellationToken.None);
        var kept = done.Single(line => line.StartsWith("kept login " + harness.Server, StringComparison.Ordinal));
        await harness.AsSuperuserAsync(kept[(kept.IndexOf("it: ", StringComparison.Ordinal) + 4)..]);
        Assert.False(await harness.ScalarAsync<bool>($"select exists (select from pg_roles where rolname = '{harness.Server}')"));
    }
}
