using System.Diagnostics;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary><c>pgfn doctor</c> says what a server or a login lacks, and changes nothing.</summary>
public sealed class DoctorTests
{
    private const string Password = "what the patient says";

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Nothing_is_missing_for_the_logins_that_pgfn_install_made()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var owner = NewName();
        try
        {
            var (code, output, error) = await RunAsync(
                ["install", "--owner", owner],
                ("PGFN_ADMIN_URL", database.ConnectionString),
                ("PGFN_OWNER_PASSWORD", Password),
                ("PGFN_REPLICATOR_PASSWORD", Password)
            );
            Assert.True(code == 0, error);
            var settings = output
                .Trim()
                .Split('\n')
                .Select(static line => line.Split('=', 2))
                .Select(static line => (line[0], line[1].Trim()));

            (code, output, error) = await RunAsync(["doctor"], [.. settings, ("PGFN_DB_POOL_SIZE", "1000")]);

            Assert.True(code == 0, output + error);
            Assert.Contains($"ok:      PGFN_REPLICATION_URL reads the WAL as \"{owner}_replicator\"", output, StringComparison.Ordinal);
            Assert.Contains("advice:  One sidecar may open 3059 connections", output, StringComparison.Ordinal);
            Assert.Contains("advice:  max_slot_wal_keep_size has no limit", output, StringComparison.Ordinal);
            Assert.DoesNotContain(Password, output + error, StringComparison.Ordinal);

            // Without the login for reading the WAL.
            (code, output, _) = await RunAsync(["doctor"], settings.First());
            Assert.Equal(1, code);
            Assert.Contains($"missing: DATABASE_URL: no replication connection as \"{owner}\"", output, StringComparison.Ordinal);
        }
        finally
        {
            await DropAsync(database, owner);
        }
    }

    [Fact]
    public async Task Missing_rights_are_listed_each_with_its_remedy_and_nothing_is_installed()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var login = NewName();
        await database.ExecuteAsync($"create role {login} login password '{Password}'");
        try
        {
            var url = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Username = login, Password = Password };
            var (code, output, _) = await RunAsync(["doctor"], ("DATABASE_URL", url.ConnectionString));

            Assert.Equal(1, code);
            foreach (
                var remedy in (string[])
                    ["alter database", $"alter role \"{login}\" createrole", "may not replicate", "no replication connection"]
            )
                Assert.Single(output.Split('\n'), line => line.StartsWith("missing: ", StringComparison.Ordinal) && line.Contains(remedy));
            Assert.Contains("advice:  The sidecar is not installed", output, StringComparison.Ordinal);
            Assert.False(await database.ScalarAsync<bool>("select to_regnamespace('functions_private') is not null"));
        }
        finally
        {
            await database.ExecuteAsync($"drop role {login}");
        }
    }

    [Fact]
    public async Task A_server_without_a_free_slot_is_named()
    {
        await using var server = await PrivateServer.StartAsync();
        await server.ExecuteAsync("select pg_create_physical_replication_slot('taken' || n) from generate_series(1, 20) n");

        var (code, output, _) = await RunAsync(["doctor"], ("DATABASE_URL", server.SidecarConnectionString));
        Assert.Equal(1, code);
        Assert.Contains("missing: All 20 replication slots are in use", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_and_a_wrong_setting_are_told_apart()
    {
        var (code, output, _) = await RunAsync(["doctor"], ("DATABASE_URL", "postgresql://ada:lovelace@127.0.0.1:1/db"));
        Assert.Equal(1, code);
        Assert.StartsWith("missing: DATABASE_URL: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain("lovelace", output, StringComparison.Ordinal);

        (code, _, var error) = await RunAsync(["doctor"], ("DATABASE_URL", "postgresql://127.0.0.1/db?sslmode=perhaps"));
        Assert.Equal(2, code);
        Assert.StartsWith("DATABASE_URL: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_RDS_members_of_its_replication_role_count_as_replicating()
    {
        await using var server = await PrivateServer.StartAsync();
        await server.ExecuteAsync(
            $"create role rds_replication; create role app login createrole password '{Password}' in role rds_replication"
        );
        await server.ExecuteAsync("create database app owner app");
        var url = new NpgsqlConnectionStringBuilder(server.SidecarConnectionString)
        {
            Username = "app",
            Password = Password,
            Database = "app",
        };

        var (_, output, _) = await RunAsync(["doctor"], ("DATABASE_URL", url.ConnectionString));

        // This server is not RDS: it refuses the connection, but the rights are not what is missing.
        Assert.DoesNotContain("may not replicate", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n'), static line => line.StartsWith("missing: ", StringComparison.Ordinal));
    }

    private static string NewName() => "patient" + Guid.NewGuid().ToString("n")[..12];

    private static Task DropAsync(TestDatabase database, string owner) =>
        database.ExecuteAsync(
            $"""
            do $$ begin
                execute format('alter database %I owner to postgres', current_database());
                drop owned by {owner} cascade;
                drop role {owner};
                drop schema functions_replication cascade;
                drop owned by {owner}_replicator;
                drop role {owner}_replicator;
            end $$
            """
        );

    /// <summary>Runs <c>pgfn</c> to its end.</summary>
    internal static async Task<(int Code, string Output, string Error)> RunAsync(
        string[] arguments,
        params (string Name, string Value)[] settings
    )
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PGFN_SECRET_KEY"] = "the end-to-end tests seal with this key 0123456789";
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output, await error);
    }
}
