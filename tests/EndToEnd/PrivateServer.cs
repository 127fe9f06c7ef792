using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>
/// A PostgreSQL server for one test, which the test can configure, stop and kill. Commits are durable when the server is killed.
/// </summary>
internal sealed class PrivateServer : IAsyncDisposable
{
    private readonly string? programs;

    private PrivateServer(string directory, string? programs, string connectionString)
    {
        Directory = directory;
        this.programs = programs;
        // Without a pool: pooled connections would not survive a restart of the server.
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;
        SidecarConnectionString = connectionString;
    }

    /// <summary>For the test's own connections.</summary>
    public string ConnectionString { get; }

    /// <summary>For sidecars.</summary>
    public string SidecarConnectionString { get; }

    /// <summary>Its folder, in which <c>data</c> has the server's files and <c>password</c> the superuser's password.</summary>
    public string Directory { get; }

    /// <summary>Starts one.</summary>
    /// <param name="settings"><c>name = value</c> each, as <c>alter system set</c> takes them.</param>
    public static Task<PrivateServer> StartAsync(params string[] settings) => StartWithAsync(null, settings);

    /// <summary>Starts one with the server programs of a given folder.</summary>
    public static async Task<PrivateServer> StartWithAsync(string? programs, params string[] settings)
    {
        var server = await StartInAsync(PostgresServer.TemporaryDirectory($"pgfn-faults-{Guid.NewGuid():n}"), programs);
        await server.ExecuteAsync("alter database postgres set synchronous_commit = local");
        foreach (var setting in settings)
            await server.ExecuteAsync("alter system set " + setting);
        if (settings.Length > 0)
            await server.RestartAsync();
        return server;
    }

    /// <summary>Starts one in a folder, which may hold data already.</summary>
    public static async Task<PrivateServer> StartInAsync(string directory, string? programs = null) =>
        new(
            directory,
            programs,
            await PostgresServer.RunClusterScriptWithAsync(programs, "start", directory, PostgresServer.ClusterOptions)
        );

    /// <summary>A fast shutdown; fails when the server does not end.</summary>
    public Task StopAsync() => PostgresServer.RunClusterScriptWithAsync(programs, "stop", Directory);

    /// <summary>Starts the server again, and retries while processes of a killed server remain.</summary>
    public Task StartAgainAsync() =>
        Eventually.HoldsAsync(async () =>
        {
            try
            {
                await PostgresServer.RunClusterScriptWithAsync(programs, "start", Directory, PostgresServer.ClusterOptions[..1]);
                await ExecuteAsync("select 1");
                return true;
            }
            catch (Exception e) when (e is InvalidOperationException or NpgsqlException)
            {
                return false;
            }
        });

    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAgainAsync();
    }

    /// <summary>kill -9 of the postmaster: its children end by themselves.</summary>
    public async Task KillAsync()
    {
        // The backend exists only as long as its connection.
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("select pg_backend_pid()", connection);
        var backend = (int)(await command.ExecuteScalarAsync())!;
        using var postmaster = Process.GetProcessById(ParentOf(backend));
        postmaster.Kill();
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(ConnectionString);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Stops it and removes its data, which also ends the script's watch over it.</summary>
    public async ValueTask DisposeAsync() => await PostgresServer.RunClusterScriptWithAsync(programs, "remove", Directory);

    private static int ParentOf(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
