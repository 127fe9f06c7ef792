using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// <c>functions.restrict_builtins</c> where the owner of the installation is no superuser and had these functions through PUBLIC.
/// </summary>
public sealed class RestrictedBuiltinTests
{
    public static TheoryData<bool> Servers => ReplicatorTests.Servers;

    [Theory, MemberData(nameof(Servers))]
    public async Task Sidecar_keeps_working_and_no_other_role_has_the_revoked_rights(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer);
        var taken = await RestrictAsync(harness);
        Assert.Contains(taken, name => name.StartsWith("pg_notify(", StringComparison.Ordinal));

        await harness.CreateTriggerAsync();
        await harness.ExecuteAsync(
            """
            select functions.create_trigger('on_some', 'noting', 'things', '{INSERT}', '{"when": "new.id > 1"}');
            select functions.invoke('noting'), functions.retry_now();
            select functions.redrive();
            """
        );
        // A writer of the application, whose context is written to the WAL.
        var writer = harness.Owner + "_app";
        await harness.AsSuperuserAsync($"create role {writer} login password 'secret'; grant select, insert, update on things to {writer}");
        await using (var application = NpgsqlDataSource.Create(harness.ConnectionString(writer)))
        await using (var write = application.CreateCommand("insert into things values (1), (2); update things set id = 3 where id = 1"))
            Assert.Equal(3, await write.ExecuteNonQueryAsync());
        // A row trigger carries the changes of a partitioned table.
        await harness.ExecuteAsync(
            """
            create table parted (id int primary key) partition by range (id);
            create table parted_0 partition of parted for values from (0) to (10);
            select functions.create_trigger('on_parted', 'noting', 'parted');
            create table parted_1 partition of parted for values from (10) to (20);
            insert into parted values (1), (11);
            update parted set id = 12 where id = 11;
            """
        );
        // Statements of functions: resetting, ending and signing.
        await using var functions = new FunctionDatabase(
            harness.Source,
            TestDatabase.RoleKey,
            new FunctionDatabaseOptions { MaxPoolSize = 1, ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
        var service = new Functions.PgSidecar.Postgres.Sessions.CallerContext("service_role", null, """{"role":"service_role"}""");
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        await functions.QueryAsync(
            service,
            new FunctionStatement("select functions.invoke('noting')"),
            FunctionSession.Soon,
            json,
            CancellationToken.None
        );
        var refused = await Assert.ThrowsAsync<FunctionSqlException>(() =>
            functions.QueryAsync(
                service,
                new FunctionStatement("select pg_advisory_xact_lock(1)"),
                FunctionSession.Soon,
                json,
                CancellationToken.None
            )
        );
        Assert.Equal("42501", refused.Code);

        Assert.Equal(
            [
                $"pg_cancel_backend {harness.Owner}",
                $"pg_logical_emit_message {harness.Owner}",
                $"pg_notify {harness.Owner}",
                $"pg_terminate_backend {harness.Owner}",
                $"pg_terminate_backend {harness.Replicator}",
            ],
            await harness.ScalarAsync<string[]>(
                """
                select array_agg(distinct p.proname || ' ' || a.grantee::regrole order by p.proname || ' ' || a.grantee::regrole) from pg_proc p cross join aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee
                where p.pronamespace = 'pg_catalog'::regnamespace and not r.rolsuper
                  and p.proname ~ '^(pg_notify|pg_logical_emit_message|pg_(terminate|cancel)_backend|pg_(try_)?advisory.*lock|lo_.*|query_to_xml|ts_stat)$'
                  and not r.rolname like 'pg\_%'
                """
            )
        );
    }

    [Fact]
    public async Task Command_executes_no_code_of_the_owner()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false);
        await harness.ExecuteAsync(
            $"""
            create or replace function functions.restrict_builtins() returns setof text language plpgsql as $$ begin
                execute 'alter role {harness.Owner} superuser'; return next 'nothing'; end $$;
            create schema {harness.Owner};
            create function {harness.Owner}.format(text, variadic text[]) returns text language plpgsql as $$ begin execute 'alter role {harness.Owner} superuser'; return 'select 1'; end $$;
            """
        );
        await harness.AsSuperuserAsync(
            $"do $$ begin execute format('alter database %I set search_path = {harness.Owner}, pg_catalog', current_database()); end $$"
        );
        var taken = await RestrictAsync(harness);
        Assert.Contains("lo_create(oid)", taken);
        Assert.False(await harness.ScalarAsync<bool>("select rolsuper from pg_roles where rolname = current_user"));
    }

    [Fact]
    public async Task Rights_an_older_version_revoked_from_the_owner_are_restored()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false);
        await harness.AsSuperuserAsync(
            """
            do $do$
            declare routine regprocedure;
            begin
                for routine in select p.oid from pg_proc p where p.proname in ('pg_notify', 'pg_logical_emit_message') loop
                    execute format('revoke execute on function %s from public', routine);
                end loop;
            end $do$
            """
        );
        await Assert.ThrowsAsync<PostgresException>(harness.CreateTriggerAsync);
        Assert.DoesNotContain(await RestrictAsync(harness), name => name.StartsWith("pg_notify(", StringComparison.Ordinal));
        await harness.CreateTriggerAsync();
    }

    private static async Task<IReadOnlyList<string>> RestrictAsync(InstallationHarness harness)
    {
        await using var superuser = NpgsqlDataSource.Create(harness.SuperuserConnectionString);
        await using var connection = await superuser.OpenConnectionAsync();
        return await Installer.RestrictBuiltinsAsync(connection, CancellationToken.None);
    }
}
