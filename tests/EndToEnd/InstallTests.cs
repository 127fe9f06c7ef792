using System.Diagnostics;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary><c>pgfn install</c>, and a sidecar that runs as the installed login.</summary>
public sealed class InstallTests
{
    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Sidecar_runs_with_the_installed_logins_and_fires_triggers_on_the_owners_tables(bool isRestricted)
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var owner = NewName();
        try
        {
            var (code, output, error) = await InstallAsync(
                database,
                isRestricted ? ["--owner", owner, "--restrict-builtins"] : ["--owner", owner]
            );
            Assert.True(code == 0, error);
            Assert.Equal(isRestricted, error.Contains("revoked from PUBLIC: lo_create(oid)", StringComparison.Ordinal));
            var lines = output.Trim().Split('\n');
            Assert.Equal(
                ["DATABASE_URL", "PGFN_REPLICATION_URL"],
                lines.Select(line => line[..line.IndexOf('=', StringComparison.Ordinal)])
            );
            var url = lines[0];
            var reading = ("PGFN_REPLICATION_URL", lines[1]["PGFN_REPLICATION_URL=".Length..].Trim());
            await using (var sidecar = await SidecarProcess.StartAsync(url["DATABASE_URL=".Length..].Trim(), reading))
            {
                Assert.DoesNotContain("superuser", sidecar.Log, StringComparison.Ordinal);
                await using var own = NpgsqlDataSource.Create(Own(database, owner, url));
                Assert.Equal((false, true, false, false, false), await RightsAsync(own));
                await ExecuteAsync(own, "create table things (id int primary key)");
                await ExecuteAsync(
                    own,
                    "select functions.deploy('things', 'export const handler = event => { console.log(event.new.id); }')"
                );
                await ExecuteAsync(own, "call functions.wait_ready('things')");
                await ExecuteAsync(own, "select functions.create_trigger('things', 'things', 'things')");
                await ExecuteAsync(own, "insert into things values (42)");
                await Eventually.HoldsAsync(async () =>
                {
                    await using var command = own.CreateCommand(
                        "select exists (select from functions.logs where function = 'things' and message = '42')"
                    );
                    return (bool)(await command.ExecuteScalarAsync())!;
                });
                Assert.Equal(
                    owner + "_replicator",
                    await database.ScalarAsync<string>(
                        "select a.usename::text from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid where s.database = current_database()"
                    )
                );

                // A frozen reader is ended although its session belongs to another login.
                await using var second = await SidecarProcess.StartAsync(url["DATABASE_URL=".Length..].Trim(), reading);
                sidecar.Freeze();
                await ExecuteAsync(own, "insert into things values (43)");
                await Eventually.HoldsAsync(async () =>
                {
                    await using var command = own.CreateCommand(
                        "select exists (select from functions_private.events where payload -> 'new' ->> 'id' = '43')"
                    );
                    return (bool)(await command.ExecuteScalarAsync())!;
                });
                sidecar.Thaw();
                await ExecuteAsync(own, "select functions.drop_trigger('things')");
            }
            await using (var unset = await SidecarProcess.StartAsync(url["DATABASE_URL=".Length..].Trim()))
                Assert.Contains("Set PGFN_REPLICATION_URL", unset.Log, StringComparison.Ordinal);
            Assert.True(await database.ScalarAsync<bool>("select rolbypassrls from pg_roles where rolname = 'service_role'"));
            Assert.Equal(
                owner,
                await database.ScalarAsync<string>(
                    "select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = 'functions_private'"
                )
            );
        }
        finally
        {
            await DropAsync(database, owner);
        }
    }

    [Fact]
    public async Task Install_is_repeatable_and_writes_a_file_readable_only_by_its_owner()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var owner = NewName();
        var file = Path.Combine(Path.GetTempPath(), owner + ".env");
        try
        {
            var (code, output, error) = await InstallAsync(database, ["--owner", owner, "--env-file", file]);
            Assert.True(code == 0, error);
            Assert.Empty(output);
            var first = (await File.ReadAllLinesAsync(file))[0];
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));

            // Revoked rights are restored, and the password is kept.
            await database.ExecuteAsync($"alter role {owner} replication createdb");
            Assert.Equal(0, (await InstallAsync(database, ["--owner", owner])).Code);
            await using (var own = NpgsqlDataSource.Create(Own(database, owner, first)))
                Assert.Equal((false, true, false, false, false), await RightsAsync(own));

            var given = await InstallAsync(database, ["--owner", owner], ("PGFN_OWNER_PASSWORD", "p@ss w/ord"));
            Assert.Contains("keeps its password", given.Error, StringComparison.Ordinal);
            Assert.True(given.Code == 0, given.Error);
            await using (var own = NpgsqlDataSource.Create(Own(database, owner, given.Output.Trim())))
                Assert.Equal((false, true, false, false, false), await RightsAsync(own));
            Assert.DoesNotContain("p@ss", given.Error, StringComparison.Ordinal);

            // A container's output is its log.
            var silent = await InstallAsync(
                database,
                ["--owner", owner, "--no-settings"],
                ("PGFN_OWNER_PASSWORD", "another p@ss"),
                ("PGFN_REPLICATOR_PASSWORD", "a third p@ss")
            );
            Assert.Equal((0, ""), (silent.Code, silent.Output));
            Assert.DoesNotContain("p@ss", silent.Error, StringComparison.Ordinal);
            await using (var own = NpgsqlDataSource.Create(Own(database, owner, first)))
                await Assert.ThrowsAsync<PostgresException>(() => RightsAsync(own));
            Assert.Equal(1, (await InstallAsync(database, ["--no-settings", "--env-file", file])).Code);
        }
        finally
        {
            File.Delete(file);
            await DropAsync(database, owner);
        }
    }

    [Fact]
    public async Task Install_refuses_another_roles_installation_and_callers_without_superuser_rights()
    {
        await using var installed = await TestDatabase.CreateAsync();
        var owner = NewName();
        var (code, _, error) = await InstallAsync(installed, ["--owner", owner]);
        Assert.Equal(2, code);
        Assert.Contains("was installed by role", error, StringComparison.Ordinal);
        Assert.False(await installed.ScalarAsync<bool>($"select exists (select from pg_roles where rolname = '{owner}')"));

        await using var empty = await TestDatabase.CreateEmptyAsync();
        await empty.ExecuteAsync($"create role {owner} login createrole replication password 'p'");
        try
        {
            var plain = await InstallAsync(
                empty,
                ["--owner", NewName()],
                (
                    "PGFN_ADMIN_URL",
                    new NpgsqlConnectionStringBuilder(empty.ConnectionString) { Username = owner, Password = "p" }.ConnectionString
                )
            );
            Assert.Equal(2, plain.Code);
            Assert.DoesNotContain("Unhandled", plain.Error, StringComparison.Ordinal);
        }
        finally
        {
            await DropAsync(empty, owner);
        }
        Assert.Equal(1, (await InstallAsync(empty, ["--owner", "pgfn_anon"])).Code);
    }

    [Fact]
    public async Task Login_that_serves_gets_a_file_without_the_owners_password()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var owner = NewName();
        var file = Path.Combine(Path.GetTempPath(), owner + ".env");
        try
        {
            // First with two logins: the third comes by the same command.
            Assert.Equal(0, (await InstallAsync(database, ["--owner", owner])).Code);
            var (code, output, error) = await InstallAsync(
                database,
                ["--owner", owner, "--server", "--env-file", file],
                ("PGFN_OWNER_PASSWORD", "of the owner")
            );
            Assert.True(code == 0, error);
            Assert.Empty(output);
            Assert.Contains($"Username={owner}_server;", Assert.Single(await File.ReadAllLinesAsync(file)), StringComparison.Ordinal);
            Assert.Contains("of the owner", Assert.Single(await File.ReadAllLinesAsync(file + ".owner")), StringComparison.Ordinal);
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file + ".owner"));
            Assert.True(
                await database.ScalarAsync<bool>($"select exists (select from functions_private.servers where login = '{owner}_server')")
            );
        }
        finally
        {
            File.Delete(file);
            File.Delete(file + ".owner");
            await DropAsync(database, owner);
        }
    }

    private static string NewName() => "installer" + Guid.NewGuid().ToString("n")[..12];

    /// <summary>Superuser, createrole, replication, createdb, bypassrls.</summary>
    private static async Task<(bool, bool, bool, bool, bool)> RightsAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand(
            "select rolsuper, rolcreaterole, rolreplication, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user"
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetBoolean(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3), reader.GetBoolean(4));
    }

    private static string Own(TestDatabase database, string owner, string line)
    {
        // The line has the form of the superuser's setting: here Npgsql's.
        var written = new NpgsqlConnectionStringBuilder(line["DATABASE_URL=".Length..]);
        Assert.Equal((owner, database.Name), (written.Username, written.Database));
        written.Pooling = false;
        return written.ConnectionString;
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task DropAsync(TestDatabase database, string owner)
    {
        // A remaining slot would prevent dropping the database.
        await database.ExecuteAsync(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active"
        );
        await database.ExecuteAsync(
            $"""
            do $$ begin
                if exists (select from pg_roles where rolname = '{owner}') then
                    execute format('alter database %I owner to postgres', current_database());
                    drop owned by {owner} cascade;
                    drop role {owner};
                end if;
                if exists (select from pg_roles where rolname = '{owner}_server') then
                    drop owned by {owner}_server;
                    drop role {owner}_server;
                end if;
                if exists (select from pg_roles where rolname = '{owner}_replicator') then
                    drop schema functions_replication cascade;
                    drop owned by {owner}_replicator;
                    drop role {owner}_replicator;
                end if;
            end $$
            """
        );
    }

    private static async Task<(int Code, string Output, string Error)> InstallAsync(
        TestDatabase database,
        string[] arguments,
        params (string Name, string Value)[] settings
    )
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[SidecarProcess.Executable(), "install", .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["PGFN_ADMIN_URL"] = database.ConnectionString;
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
