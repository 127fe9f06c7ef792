using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>A PostgreSQL server of a test's own, which it may configure, stop and kill. What commits is on disk.</summary>
internal sealed class PrivateServer : IAsyncDisposable
{
    private readonly string directory;

    private PrivateServer(string directory, string connectionString)
    {
        this.directory = directory;
        // Without a pool: its connections would not outlive the server.
        ConnectionString = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;
        SidecarConnectionString = connectionString;
    }

    /// <summary>For the test's own connections.</summary>
    public string ConnectionString { get; }

    /// <summary>For sidecars.</summary>
    public string SidecarConnectionString { get; }

    /// <summary>Starts one.</summary>
    /// <param name="settings"><c>name = value</c> each, as <c>alter system set</c> takes them.</param>
    public static async Task<PrivateServer> StartAsync(params string[] settings)
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-faults-{Guid.NewGuid():n}");
        var server = new PrivateServer(directory, await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions));
        await server.ExecuteAsync("alter database postgres set synchronous_commit = local");
        foreach (var setting in settings)
            await server.ExecuteAsync("alter system set " + setting);
        if (settings.Length > 0)
            await server.RestartAsync();
        return server;
    }

    /// <summary>A fast shutdown; fails when the server does not end.</summary>
    public Task StopAsync() => PostgresServer.RunClusterScriptAsync("stop", directory);

    /// <summary>Starts the server again. A killed one's children are there for a moment longer: then it is tried again.</summary>
    public Task StartAgainAsync() => Eventually.HoldsAsync(async () =>
    {
        try
        {
            await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions[..1]);
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
        // The backend is there only as long as its connection.
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

    public async ValueTask DisposeAsync() => await StopAsync();

    private static int ParentOf(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture);
    }
}
