using Functions.PgSidecar.Core.RowChanges.Reading;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>The login that reads the WAL can copy the whole server; the owner cannot.</summary>
public sealed class ReplicatorTests
{
    /// <summary>Whether the server is PostgreSQL 18, if its programs are installed.</summary>
    public static TheoryData<bool> Servers => NewerServer.IsInstalled ? [false, true] : [false];

    [Theory, MemberData(nameof(Servers))]
    public async Task Owner_creates_and_drops_its_slot_without_the_REPLICATION_right(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer);
        Assert.False(await harness.ScalarAsync<bool>("select rolreplication from pg_roles where rolname = current_user"));
        foreach (
            var attempt in (string[])
                ["select pg_create_logical_replication_slot('mine', 'pgoutput')", "select pg_create_physical_replication_slot('mine')"]
        )
            Assert.Equal(
                PostgresErrorCodes.InsufficientPrivilege,
                (await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync(attempt))).SqlState
            );
        await using (var connection = new PhysicalReplicationConnection(harness.ConnectionString(harness.Owner)))
            await Assert.ThrowsAsync<PostgresException>(() => connection.Open());

        await harness.CreateTriggerAsync();
        Assert.Equal(
            1,
            await harness.ScalarAsync<long>("select count(*) from pg_replication_slots where slot_name = functions_private.slot_name()")
        );
        await harness.ExecuteAsync("select functions.drop_trigger('on_things')");
        await harness.ExecuteAsync("delete from functions_private.former_triggers");
        var slots = new SlotStore(harness.Source, harness.ConnectionString(harness.Replicator));
        var slot = await harness.ScalarAsync<string>("select functions_private.slot_name()::text");
        Assert.True(await slots.DropUnusedAsync(slot, unlessServed: null, CancellationToken.None));
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>("select count(*) from pg_replication_slots where slot_name = functions_private.slot_name()")
        );

        // The sidecar creates the slot before the first trigger, and advances it.
        Assert.Null(await slots.CreateAsync(slot, TimeSpan.FromMinutes(1), CancellationToken.None));
        await harness.ExecuteAsync("create table noise as select repeat(md5(n::text), 20) as t from generate_series(1, 40000) n");
        await slots.AdvanceAsync(slot, CancellationToken.None);
        Assert.True(
            await harness.ScalarAsync<bool>(
                "select pg_current_wal_lsn() - confirmed_flush_lsn < 16 * 1024 * 1024 from pg_replication_slots where slot_name = functions_private.slot_name()"
            )
        );
        Assert.True(await slots.DropUnusedAsync(slot, unlessServed: null, CancellationToken.None));
        Assert.StartsWith(
            "The login",
            await new SlotStore(harness.Source, harness.ConnectionString(harness.Owner)).CreateAsync(
                slot,
                TimeSpan.FromMinutes(1),
                CancellationToken.None
            )
        );
    }

    [Theory, MemberData(nameof(Servers))]
    public async Task Replication_login_reads_changes_after_the_first_trigger_and_has_no_other_right(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer);
        await harness.CreateTriggerAsync();
        await harness.ExecuteAsync("insert into things values (1)");
        var slot = await harness.ScalarAsync<string>("select functions_private.slot_name()::text");
        await using (var connection = new LogicalReplicationConnection(harness.ConnectionString(harness.Replicator)))
        {
            await connection.Open();
            KeyValuePair<string, string?>[] options =
            [
                new("proto_version", "2"),
                new("publication_names", "functions_events,functions_events_changes"),
            ];
            using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            var stream = Npgsql.Replication.Internal.LogicalReplicationConnectionExtensions.StartLogicalReplication(
                connection,
                new PgOutputReplicationSlot(slot),
                timeout.Token,
                options: options
            );
            await foreach (var message in stream)
            {
                var bytes = new byte[message.Data.Length];
                await message.Data.ReadExactlyAsync(bytes, timeout.Token);
                if (bytes[0] == (byte)'I')
                    break;
            }
        }

        await using var login = NpgsqlDataSource.Create(harness.ConnectionString(harness.Replicator));
        foreach (
            var attempt in (string[])
                [
                    "select * from things",
                    "insert into things values (2)",
                    "select * from functions_private.versions",
                    "select functions.deploy('x', 'x')",
                    "select functions_replication.create_slot()",
                    "create table public.mine (n int)",
                    "create role mine",
                    "alter role anon password 'x'",
                ]
        )
        {
            await using var command = login.CreateCommand(attempt);
            Assert.Equal(
                PostgresErrorCodes.InsufficientPrivilege,
                (await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync())).SqlState
            );
        }
        Assert.Equal(
            ["functions_replication.create_slot()", "functions_replication.drop_slot(name)", "functions_replication.end_reader(integer)"],
            await harness.ScalarAsync<string[]>(
                $"""
                select array_agg(s.objid::regprocedure::text order by 1) from pg_shdepend s
                where s.refobjid = '{harness.Replicator}'::regrole and s.deptype = 'o' and s.classid = 'pg_proc'::regclass
                """
            )
        );
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                $"""
                select count(*) from pg_shdepend s where s.refobjid = '{harness.Replicator}'::regrole and s.deptype = 'o' and s.classid <> 'pg_proc'::regclass
                """
            )
        );
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>($"select count(*) from pg_auth_members where member = '{harness.Replicator}'::regrole")
        );
    }

    [Fact]
    public async Task Replication_routines_serve_only_the_owner_and_touch_no_other_slot_or_session()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false);
        await harness.CreateTriggerAsync();
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                """
                select count(*) from pg_roles r cross join pg_proc p
                where p.pronamespace = 'functions_replication'::regnamespace and r.rolname in ('anon', 'authenticated', 'service_role', 'pgfn_anon', 'pgfn_service_role')
                  and has_function_privilege(r.oid, p.oid, 'execute')
                """
            )
        );
        foreach (var slot in (string[])["somebody_s", "functions_1", "functions_"])
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                harness.ExecuteAsync($"select functions_replication.drop_slot('{slot}')")
            );
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }
        // A session of the login that does not read the slot.
        await using var login = NpgsqlDataSource.Create(harness.ConnectionString(harness.Replicator));
        await using var session = await login.OpenConnectionAsync();
        Assert.False(await harness.ScalarAsync<bool>($"select functions_replication.end_reader({session.ProcessID})"));
        await using var alive = new NpgsqlCommand("select true", session);
        Assert.Equal(true, await alive.ExecuteScalarAsync());
        Assert.Equal(
            PostgresErrorCodes.InsufficientPrivilege,
            (
                await Assert.ThrowsAsync<PostgresException>(() =>
                    harness.ExecuteAsync(
                        "create or replace function functions_replication.create_slot() returns void language sql security definer as 'select 1'"
                    )
                )
            ).SqlState
        );
        Assert.Equal(
            PostgresErrorCodes.InsufficientPrivilege,
            (
                await Assert.ThrowsAsync<PostgresException>(() => harness.ExecuteAsync("drop function functions_replication.create_slot()"))
            ).SqlState
        );
    }

    [Fact]
    public async Task Replication_routines_of_a_role_without_REPLICATION_are_ignored_and_its_schema_is_kept()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false);
        await using (var superuser = NpgsqlDataSource.Create(harness.SuperuserConnectionString))
        await using (
            var squat = superuser.CreateCommand(
                """
                do $$ declare one record; begin
                    for one in select oid::regprocedure as name from pg_proc where pronamespace = 'functions_replication'::regnamespace loop
                        execute format('alter function %s owner to service_role', one.name);
                    end loop;
                    alter schema functions_replication owner to service_role;
                end $$
                """
            )
        )
            await squat.ExecuteNonQueryAsync();

        Assert.False(await harness.ScalarAsync<bool>("select functions_private.has_replicator()"));
        Assert.Equal(
            PostgresErrorCodes.InsufficientPrivilege,
            (await Assert.ThrowsAsync<PostgresException>(harness.CreateTriggerAsync)).SqlState
        );
        var refused = await Assert.ThrowsAsync<MigrationException>(harness.InstallAsync);
        Assert.Contains("functions_replication belongs to role", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Login_with_other_rights_is_not_used_as_the_replication_login()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false);
        foreach (var right in (string[])["createdb", "createrole", "superuser", "bypassrls"])
        {
            await harness.AsSuperuserAsync($"alter role {harness.Replicator} {right}");
            Assert.Contains(
                "has other rights",
                (await Assert.ThrowsAsync<MigrationException>(harness.InstallAsync)).Message,
                StringComparison.Ordinal
            );
            await harness.AsSuperuserAsync($"alter role {harness.Replicator} no{right}");
        }
        await harness.AsSuperuserAsync($"grant service_role to {harness.Replicator}");
        Assert.Contains(
            "has other rights",
            (await Assert.ThrowsAsync<MigrationException>(harness.InstallAsync)).Message,
            StringComparison.Ordinal
        );
        await harness.AsSuperuserAsync($"revoke service_role from {harness.Replicator}; grant {harness.Replicator} to {harness.Owner}");
        await harness.InstallAsync();
        Assert.False(await harness.ScalarAsync<bool>($"select pg_has_role('{harness.Replicator}', 'member')"));
    }

    [Fact]
    public async Task Functions_cannot_run_as_a_role_whose_login_would_be_this_one()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand("create role replicator; select functions.grant_role('replicator')", connection);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.ReservedName, refused.SqlState);
        Assert.Contains("pgfn_replicator", refused.MessageText, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Servers))]
    [Trait("Speed", "Slow")]
    public async Task Uninstall_drops_the_slot_and_names_what_a_superuser_created(bool isNewer)
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer);
        await harness.CreateTriggerAsync();
        var done = await Uninstaller.RunAsync(harness.Source, "{}", CancellationToken.None);
        Assert.Contains(done, line => line.StartsWith("dropped replication slot functions_", StringComparison.Ordinal));
        Assert.Contains(done, line =>
            line.StartsWith("kept schema functions_replication and login " + harness.Replicator, StringComparison.Ordinal)
        );
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from pg_replication_slots where database = current_database()"));
        var remedy = done.Single(line => line.StartsWith("kept schema functions_replication", StringComparison.Ordinal));
        await harness.AsSuperuserAsync(remedy[(remedy.IndexOf("them: ", StringComparison.Ordinal) + 6)..]);
        Assert.False(await harness.ScalarAsync<bool>($"select exists (select from pg_roles where rolname = '{harness.Replicator}')"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Slot_left_behind_by_dropped_schemas_is_dropped_too()
    {
        await using var harness = await InstallationHarness.CreateAsync(isNewer: false);
        await harness.CreateTriggerAsync();
        await harness.AsSuperuserAsync("drop event trigger if exists functions_guard; drop schema functions, functions_private cascade");
        Assert.Contains(await Uninstaller.RunAsync(harness.Source, "{}", CancellationToken.None), line =>
            line.StartsWith("dropped replication slot functions_", StringComparison.Ordinal)
        );
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from pg_replication_slots where database = current_database()"));
    }
}
