using System.Diagnostics;
using Npgsql;

namespace Functions.PgSidecar.Testing;

/// <summary>
/// The PostgreSQL server of a test run: the one that PGFN_TEST_DATABASE_URL names (a superuser's URL), or a container
/// (<see cref="PostgresContainer"/>), or else a private cluster, one per process. scripts/cluster.sh starts the cluster and stops it when
/// the process has ended for any reason. PGFN_POSTGRES_BIN names the folder of the server's programs; the default is the newest version
/// of the machine. Without a server the tests fail.
/// </summary>
public sealed class PostgresServer
{
    private const string Memory = "/dev/shm";
    private const long Room = 4L << 30;

    private static readonly Lazy<Task<PostgresServer>> Started = new(StartAsync);

    private PostgresServer(string connectionString, bool isGiven)
    {
        ConnectionString = connectionString;
        IsGiven = isGiven;
    }

    /// <summary>A superuser's connection string, in Npgsql's form, to the server's maintenance database.</summary>
    public string ConnectionString { get; }

    /// <summary>Whether it remains when the tests have ended. The others end with the process.</summary>
    public bool IsGiven { get; }

    /// <summary>The server; started on first use.</summary>
    public static Task<PostgresServer> GetAsync() => Started.Value;

    /// <summary>The same server, another database, without pooling when asked.</summary>
    public string ConnectionStringTo(string database, bool pooling = true) =>
        new NpgsqlConnectionStringBuilder(ConnectionString) { Database = database, Pooling = pooling }.ConnectionString;

    /// <summary>The server's major version.</summary>
    public async Task<int> GetVersionAsync()
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        return connection.PostgreSqlVersion.Major;
    }

    /// <summary>Runs a statement as superuser in the maintenance database.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 60 };
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>
    /// Runs scripts/cluster.sh, for tests that stop and start a private cluster. The cluster is removed with the process at the latest.
    /// </summary>
    public static Task<string> RunClusterScriptAsync(string action, string directory, params string[] options) =>
        RunClusterScriptWithAsync(null, action, directory, options);

    /// <summary>The same with the server programs of a given folder.</summary>
    public static async Task<string> RunClusterScriptWithAsync(string? programs, string action, string directory, params string[] options)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardOutput = true, RedirectStandardError = true };
        if (programs is not null)
            start.Environment["PGFN_POSTGRES_BIN"] = programs;
        foreach (var argument in (string[])[ScriptPath(), action, directory, .. options])
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"cluster.sh {action} failed ({process.ExitCode}): {(await error).Trim()}");
        const string prefix = "DATABASE_URL=";
        return output.StartsWith(prefix, StringComparison.Ordinal) ? FromUrl(output[prefix.Length..].Trim()) : output.Trim();
    }

    /// <summary>The options for starting a test's cluster: without durability, and removed with this process.</summary>
    public static string[] ClusterOptions =>
        ["--fast", "--while", Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)];

    /// <summary>
    /// A folder for a cluster that ends with the tests: in memory where there is room, which saves a third of the time of tests that
    /// create databases; or else where the system has its temporary files. TMPDIR overrides both.
    /// </summary>
    public static string TemporaryDirectory(string name)
    {
        var isMemory =
            Environment.GetEnvironmentVariable("TMPDIR") is null
            && Directory.Exists(Memory)
            && new DriveInfo(Memory).AvailableFreeSpace >= Room
            && GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >= 2 * Room;
        return Path.Combine(isMemory ? Memory : Path.GetTempPath(), name);
    }

    private static async Task<PostgresServer> StartAsync()
    {
        if (Environment.GetEnvironmentVariable("PGFN_TEST_DATABASE_URL") is { Length: > 0 } given)
            return new PostgresServer(FromUrl(given), isGiven: true);
        if (PostgresContainer.IsWanted)
            return new PostgresServer(await PostgresContainer.StartAsync(), isGiven: false);
        var directory = TemporaryDirectory($"pgfn-test-{Environment.ProcessId}");
        return new PostgresServer(await RunClusterScriptAsync("start", directory, ClusterOptions), isGiven: false);
    }

    private static string FromUrl(string url)
    {
        if (!url.StartsWith("postgres://", StringComparison.Ordinal) && !url.StartsWith("postgresql://", StringComparison.Ordinal))
            return url;
        var uri = new Uri(url);
        var user = uri.UserInfo.Split(':', 2);
        return new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host,
            Port = uri.Port > 0 ? uri.Port : 5432,
            Database = uri.AbsolutePath.Trim('/'),
            Username = Uri.UnescapeDataString(user[0]),
            Password = user.Length > 1 ? Uri.UnescapeDataString(user[1]) : null,
        }.ConnectionString;
    }

    /// <summary>The root folder of the repository.</summary>
    public static string Root => Path.GetDirectoryName(Path.GetDirectoryName(ScriptPath()))!;

    private static string ScriptPath()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var script = Path.Combine(folder.FullName, "scripts", "cluster.sh");
            if (File.Exists(script))
                return script;
        }
        throw new InvalidOperationException("scripts/cluster.sh is not above " + AppContext.BaseDirectory);
    }
}
