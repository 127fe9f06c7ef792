using System.Diagnostics;
using Functions.PgSidecar.Postgres.Migrations;
using Npgsql;

namespace Functions.PgSidecar.Testing;

/// <summary>A PostgreSQL 18 of the test process's own, from the programs that npm has put into tests/EndToEnd/servers; started on first use.</summary>
public static class NewerServer
{
    private static readonly Lazy<Task<string>> Started = new(StartAsync);

    private static string Programs => Path.Combine(PostgresServer.Root, "tests/EndToEnd/servers/node_modules/postgres-18/native");

    /// <summary>Whether the programs are there.</summary>
    public static bool IsInstalled => Directory.Exists(Programs);

    /// <summary>A new, migrated database's connection string: a superuser's.</summary>
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

    private static async Task<string> StartAsync()
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-newer-{Environment.ProcessId}");
        Directory.CreateDirectory(directory);
        // Where the user that a server runs as can reach them.
        var programs = Path.Combine(directory, "programs");
        using (var copy = Process.Start("cp", ["-r", Programs, programs]))
        {
            await copy.WaitForExitAsync();
        }
        return await PostgresServer.RunClusterScriptWithAsync(Path.Combine(programs, "bin"), "start", Path.Combine(directory, "cluster"), PostgresServer.ClusterOptions);
    }
}
