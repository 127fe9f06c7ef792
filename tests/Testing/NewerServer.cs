using System.Diagnostics;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Testing;

/// <summary>
/// A PostgreSQL 18 server of this test process, from the programs that npm installs in tests/EndToEnd/servers. Started on first use.
/// </summary>
public static class NewerServer
{
    private static readonly Lazy<Task<string>> Copied = new(CopyProgramsAsync);
    private static readonly Lazy<Task<string>> Started = new(StartAsync);

    private static string Directory { get; } = Path.Combine(Path.GetTempPath(), $"pgfn-newer-{Environment.ProcessId}");

    private static string Installed => Path.Combine(PostgresServer.Root, "tests/EndToEnd/servers/node_modules/postgres-18/native");

    /// <summary>Whether the programs are installed.</summary>
    public static bool IsInstalled => System.IO.Directory.Exists(Installed);

    /// <summary>The folder of the programs, for a test that starts a server of its own.</summary>
    public static Task<string> GetProgramsAsync() => Copied.Value;

    /// <summary>Creates a migrated database and returns a superuser's connection string to it.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var server = await Started.Value;
        var name = $"pgfn_test_{Guid.NewGuid():n}";
        await using (var maintenance = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(server) { Pooling = false }))
        {
            await using var create = maintenance.CreateCommand($"create database \"{name}\"");
            await create.ExecuteNonQueryAsync();
        }
        var connectionString = new NpgsqlConnectionStringBuilder(server) { Database = name }.ConnectionString;
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false });
        await Migrator.ApplyAsync(source, CancellationToken.None);
        return connectionString;
    }

    private static async Task<string> StartAsync() =>
        await PostgresServer.RunClusterScriptWithAsync(
            await Copied.Value,
            "start",
            Path.Combine(Directory, "cluster"),
            PostgresServer.ClusterOptions
        );

    /// <summary>Copies the programs to a folder that the server's user can read.</summary>
    private static async Task<string> CopyProgramsAsync()
    {
        System.IO.Directory.CreateDirectory(Directory);
        var programs = Path.Combine(Directory, "programs");
        using var copy = Process.Start("cp", ["-r", Installed, programs]);
        await copy.WaitForExitAsync();
        return Path.Combine(programs, "bin");
    }
}
