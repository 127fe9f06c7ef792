using System.Diagnostics;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary><c>pgfn install</c>, and a sidecar that runs as the login that it makes.</summary>
public sealed class InstallTests
{
    [Fact]
    public async Task A_sidecar_runs_as_the_login_that_install_made_and_fires_triggers_on_its_tables()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var owner = NewName();
        try
        {
            var (code, output, error) = await InstallAsync(database, ["--owner", owner]);
            Assert.True(code == 0, error);
            var url = Assert.Single(output.Trim().Split('\n'));
            Assert.StartsWith("DATABASE_URL=", url, StringComparison.Ordinal);
            await using (var sidecar = await SidecarProcess.StartAsync(url["DATABASE_URL=".Length..]))
            {
                Assert.DoesNotContain("superuser", sidecar.Log, StringComparison.Ordinal);
                await using var own = NpgsqlDataSource.Create(Own(database, owner, url));
                Assert.Equal((false, true, true, false, false), await RightsAsync(own));
                await ExecuteAsync(own, "create table things (id int primary key)");
                await ExecuteAsync(own, "select functions.deploy('things', 'export const handler = event => { console.log(event.new.id); }')");
                await ExecuteAsync(own, "call functions.wait_ready('things')");
                await ExecuteAsync(own, "select functions.create_trigger('things', 'things', 'things')");
                await ExecuteAsync(own, "insert into things values (42)");
                await Eventually.HoldsAsync(async () =>
                {
                    await using var command = own.CreateCommand("select exists (select from functions.logs where function = 'things' and message = '42')");
                    return (bool)(await command.ExecuteScalarAsync())!;
                });
                await ExecuteAsync(own, "select functions.drop_trigger('things')");
            }
            Assert.True(await database.ScalarAsync<bool>("select rolbypassrls from pg_roles where rolname = 'service_role'"));
            Assert.Equal(owner, await database.ScalarAsync<string>("select pg_get_userbyid(nspowner)::text from pg_namespace where nspname = 'functions_private'"));
        }
        finally
        {
            await DropAsync(database, owner);
        }
    }

    [Fact]
    public async Task Install_can_be_run_again_and_writes_a_file_for_its_owner_only()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var owner = NewName();
        var file = Path.Combine(Path.GetTempPath(), owner + ".env");
        try
        {
            var (code, output, error) = await InstallAsync(database, ["--owner", owner, "--env-file", file]);
            Assert.True(code == 0, error);
            Assert.Empty(output);
            var first = (await File.ReadAllTextAsync(file)).Trim();
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));

            // Rights that somebody took away are put right; the password stays.
            await database.ExecuteAsync($"alter role {owner} noreplication createdb");
            Assert.Equal(0, (await InstallAsync(database, ["--owner", owner])).Code);
            await using (var own = NpgsqlDataSource.Create(Own(database, owner, first)))
                Assert.Equal((false, true, true, false, false), await RightsAsync(own));

            var given = await InstallAsync(database, ["--owner", owner], ("PGFN_OWNER_PASSWORD", "p@ss w/ord"));
            Assert.True(given.Code == 0, given.Error);
            await using (var own = NpgsqlDataSource.Create(Own(database, owner, given.Output.Trim())))
                Assert.Equal((false, true, true, false, false), await RightsAsync(own));
            Assert.DoesNotContain("p@ss", given.Error, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
            await DropAsync(database, owner);
        }
    }

    [Fact]
    public async Task What_another_role_installed_is_refused_and_so_is_whoever_is_no_superuser()
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
            var plain = await InstallAsync(empty, ["--owner", NewName()], ("PGFN_ADMIN_URL", new NpgsqlConnectionStringBuilder(empty.ConnectionString) { Username = owner, Password = "p" }.ConnectionString));
            Assert.Equal(2, plain.Code);
            Assert.DoesNotContain("Unhandled", plain.Error, StringComparison.Ordinal);
        }
        finally
        {
            await DropAsync(empty, owner);
        }
        Assert.Equal(1, (await InstallAsync(empty, ["--owner", "pgfn_anon"])).Code);
    }

    private static string NewName() => "installer" + Guid.NewGuid().ToString("n")[..12];

    /// <summary>Superuser, createrole, replication, createdb, bypassrls.</summary>
    private static async Task<(bool, bool, bool, bool, bool)> RightsAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand("select rolsuper, rolcreaterole, rolreplication, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user");
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
        // A slot that is still there would keep the database.
        await database.ExecuteAsync("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active");
        await database.ExecuteAsync($"""
            do $$ begin
                if exists (select from pg_roles where rolname = '{owner}') then
                    execute format('alter database %I owner to postgres', current_database());
                    drop owned by {owner} cascade;
                    drop role {owner};
                end if;
            end $$
            """);
    }

    private static async Task<(int Code, string Output, string Error)> InstallAsync(TestDatabase database, string[] arguments, params (string Name, string Value)[] settings)
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
