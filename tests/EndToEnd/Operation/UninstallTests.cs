using System.Diagnostics;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Events;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary><c>pgfn uninstall</c> leaves a database as it was before the first sidecar.</summary>
public sealed class UninstallTests
{
    private const string Application = """
        create role app_owner login password 'app';
        create table plain (id int primary key, note text);
        create table by_index (id int not null, note text); create unique index by_index_id on by_index (id); alter table by_index replica identity using index by_index_id;
        create table full_before (note text); alter table full_before replica identity full;
        create table keyless (note text); alter table keyless replica identity nothing;
        create table parted (id int primary key, note text) partition by range (id);
        create table parted_0 partition of parted for values from (0) to (10);
        create table elder (id int); create table heir (note text) inherits (elder); alter table heir add primary key (id);
        create table unrelated (id int primary key);
        create schema app; create type app.mood as enum ('ok'); create table moody (id int primary key, mood app.mood);
        do $$ begin if exists (select from pg_available_extensions where name = 'vector') then create extension vector; end if; end $$;
        """;

    /// <summary>Where the server has pgvector.</summary>
    private const string VectorIndex = """
        do $$ begin
          if exists (select from pg_extension where extname = 'vector') then
            perform functions.create_vector_index('v', 3, '{"owner_only": true, "read": "authenticated", "write": "editor"}');
            insert into functions_vectors.v (id, embedding, owner) values ('a', '[1,2,3]', 'o');
          end if;
        end $$;
        """;

    /// <summary>Everything in the catalogue of this database, and the roles and slots of the cluster, one per line.</summary>
    private const string Catalogue = """
        select string_agg(line, e'\n' order by line collate "C") from (
          select 'schema ' || nspname || ' ' || pg_get_userbyid(nspowner) || coalesce((select string_agg(a::text, ',' order by a::text) from unnest(coalesce(nspacl, acldefault('n', nspowner))) a), '') from pg_namespace where nspname !~ '^pg_(toast_)?temp'
          union all select 'relation ' || oid::regclass || ' ' || relkind::text || ' ' || relreplident::text || ' ' || pg_get_userbyid(relowner) || ' '
              || coalesce((select string_agg(a::text, ',' order by a::text) from unnest(coalesce(relacl, acldefault((case when relkind = 'S' then 's' else 'r' end)::"char", relowner))) a), '')
              from pg_class where relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
          union all select 'identity index ' || indexrelid::regclass from pg_index where indisreplident
          union all select 'routine ' || oid::regprocedure from pg_proc where pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
          union all select 'type ' || oid::regtype from pg_type where typnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
          union all select 'trigger ' || tgname || ' ' || tgrelid::regclass || ' ' || tgenabled::text from pg_trigger where not tgisinternal
          union all select 'policy ' || polname || ' ' || polrelid::regclass from pg_policy
          union all select 'publication ' || pubname from pg_publication
          union all select 'slot ' || slot_name from pg_replication_slots
          union all select 'default privileges ' || defaclrole::regrole || ' ' || defaclobjtype::text || ' ' || defaclacl::text from pg_default_acl
          union all select 'event trigger ' || evtname from pg_event_trigger
          union all select 'role ' || rolname || ' ' || coalesce(array_to_string(rolconfig, ','), '') from pg_roles
          union all select 'member ' || roleid::regrole || ' ' || member::regrole from pg_auth_members
          union all select 'database setting ' || s::text from pg_db_role_setting s
          union all select 'database ' || datname || ' ' || coalesce((select string_agg(a::text, ',' order by a::text) from unnest(coalesce(datacl, acldefault('d', datdba))) a), '') from pg_database
          union all select 'large object ' || oid from pg_largeobject_metadata
          union all select 'extension ' || extname from pg_extension) all_of_it (line)
        """;

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Uninstall_leaves_nothing_and_restores_the_previous_state()
    {
        await using var server = await PrivateServer.StartAsync();
        await using var owner = NpgsqlDataSource.Create(server.ConnectionString);
        await ExecuteAsync(owner, Application);
        var before = await ScalarAsync<string>(owner, Catalogue);

        await using var sidecar = await SidecarProcess.StartAsync(server.SidecarConnectionString);
        await ExecuteAsync(
            owner,
            "create role editor; select functions.grant_role('editor'); select functions.deploy('noting', 'export const handler = () => null;')"
        );
        await ExecuteAsync(owner, "call functions.wait_ready('noting', timeout => '2 minutes')");
        await ExecuteAsync(owner, VectorIndex);
        foreach (var table in (string[])["plain", "by_index", "full_before", "keyless", "parted", "heir"])
            await ExecuteAsync(owner, $"select functions.create_trigger('on_{table}', 'noting', '{table}')");
        // The condition login gets USAGE on the schema of the type.
        await ExecuteAsync(
            owner,
            """select functions.create_trigger('on_moody', 'noting', 'moody', '{INSERT}', '{"when": "new.mood = ''ok''"}')"""
        );
        Assert.True(await ScalarAsync<bool>(owner, "select has_schema_privilege('pgfn_conditions', 'app', 'usage')"));
        await ExecuteAsync(
            owner,
            """
            insert into plain values (1, 'x'); insert into parted values (1, 'x');
            create table parted_1 partition of parted for values from (10) to (20);
            create policy own on unrelated using (functions.uid() is not null);
            """
        );
        await Eventually.HoldsAsync(() => ScalarAsync<bool>(owner, "select count(*) = 2 from functions.events where status = 'done'"));
        await Eventually.HoldsAsync(() =>
            ScalarAsync<bool>(
                owner,
                "select exists (select from pg_trigger where tgrelid = 'parted_1'::regclass and tgname = 'functions_capture_context')"
            )
        );

        // It is refused while it would break something, and changes nothing.
        var (code, output) = await RunAsync(server.SidecarConnectionString);
        Assert.Equal(1, code);
        Assert.Contains("Sidecars serve this database", output);
        sidecar.Terminate();
        await sidecar.WaitForExitAsync();
        (code, output) = await RunAsync(server.SidecarConnectionString);
        Assert.Equal(1, code);
        Assert.Contains("policy own on table public.unrelated", output);
        Assert.True(await ScalarAsync<bool>(owner, "select exists (select from functions.triggers)"));

        await ExecuteAsync(owner, "drop policy own on unrelated");
        (code, output) = await RunAsync(server.SidecarConnectionString, "--roles");
        Assert.True(code == 0, output);
        Assert.Contains("dropped replication slot functions_", output);
        await ExecuteAsync(
            owner,
            "update plain set note = 'y'; delete from plain; insert into keyless values ('x'); update parted set note = 'y'; delete from heir; drop table parted_1; drop role editor"
        );
        var after = await ScalarAsync<string>(owner, Catalogue);
        Assert.Empty(after.Split('\n').Except(before.Split('\n')));
        Assert.Empty(before.Split('\n').Except(after.Split('\n')));

        (code, output) = await RunAsync(server.SidecarConnectionString);
        Assert.True(code == 0 && output.StartsWith("Functions.PgSidecar is not installed", StringComparison.Ordinal), output);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Uninstall_keeps_roles_of_other_databases_and_with_force_ends_serving_sessions()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("create policy own on items using (functions.uid() is not null)");
        var done = "";
        await Eventually.HoldsAsync(async () =>
        {
            try
            {
                done = await harness.ScalarAsync<string>(
                    """
                    select string_agg(line, e'\n') from functions.uninstall('{"force": true, "cascade": true, "roles": true}') line
                    """
                );
                return true;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DeadlockDetected)
            {
                // The sidecar that serves was in the middle of a transaction. Nothing has changed.
                return false;
            }
        });
        Assert.Contains("dropped policy own on table public.items", done);
        Assert.Matches("kept roles anon and pgfn_anon: database .* uses it", done);
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from pg_replication_slots where database = current_database()"));
        await harness.ExecuteAsync("insert into items values (1); update items set note = 'x'; delete from items");
        await FaultHarness.KillAsync(harness.First);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Uninstall_removes_what_a_dropped_schema_left_behind()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await FaultHarness.KillAsync(harness.First);
        await harness.UntilAsync("not exists (select from pg_replication_slots where database = current_database() and active)");
        await harness.ExecuteAsync("drop schema functions, functions_private cascade");
        var (code, output) = await RunAsync(harness.ConnectionString);
        Assert.True(code == 0 && output.Contains("dropped replication slot", StringComparison.Ordinal), output);
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                "select (select count(*) from pg_publication) + (select count(*) from pg_replication_slots where database = current_database())"
            )
        );
    }

    private static async Task<(int Code, string Output)> RunAsync(string connectionString, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[SidecarProcess.Executable(), "uninstall", .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["DATABASE_URL"] = connectionString;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, output + await error);
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        command.CommandTimeout = 120;
        await command.ExecuteNonQueryAsync();
    }

    private static async Task<T> ScalarAsync<T>(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }
}
