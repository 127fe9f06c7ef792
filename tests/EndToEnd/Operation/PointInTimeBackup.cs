using System.Diagnostics;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>
/// A base backup of a private server and the WAL that the server archives after it, from which a second server is recovered to a restore
/// point (PostgreSQL's documentation, "Continuous Archiving and Point-in-Time Recovery"). Like pg_basebackup, it does not copy replication
/// slots.
/// </summary>
internal sealed class PointInTimeBackup : IDisposable
{
    private readonly string directory = Path.Combine(Path.GetTempPath(), $"pgfn-backup-{Guid.NewGuid():n}");

    private PointInTimeBackup() { }

    /// <summary>What the server to back up is started with.</summary>
    public string[] ServerSettings => ["archive_mode = on", $"archive_command = 'cp %p {Archive}/%f'"];

    private string Archive => Path.Combine(directory, "archive");

    private string Restored => Path.Combine(directory, "restored");

    /// <summary>Creates the folder that the server, which runs as another user, archives to.</summary>
    public static async Task<PointInTimeBackup> CreateAsync()
    {
        var backup = new PointInTimeBackup();
        await ShellAsync($"mkdir -p '{backup.Archive}' && chmod 777 '{backup.Archive}'");
        return backup;
    }

    /// <summary>Copies the files of a running server.</summary>
    public async Task TakeAsync(PrivateServer server)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString);
        await connection.OpenAsync();
        await using (var start = new NpgsqlCommand("select pg_backup_start('test', fast => true)", connection))
            await start.ExecuteNonQueryAsync();
        Directory.CreateDirectory(Restored);
        // Files may vanish while they are copied; recovery does not need those.
        await ShellAsync($"cp -a '{server.Directory}/data' '{server.Directory}/password' '{Restored}' 2>/dev/null || true");
        await ShellAsync($"cd '{Restored}/data' && rm -rf postmaster.pid postmaster.opts pg_wal/0* pg_replslot/*");
        await using var stop = new NpgsqlCommand("select labelfile from pg_backup_stop(wait_for_archive => false)", connection);
        await File.WriteAllTextAsync(Path.Combine(Restored, "data", "backup_label"), (string)(await stop.ExecuteScalarAsync())!);
    }

    /// <summary>Recovers a server to a restore point, and waits until it accepts writes.</summary>
    public async Task<PrivateServer> RecoverAsync(string restorePoint)
    {
        await File.AppendAllTextAsync(
            Path.Combine(Restored, "data", "postgresql.auto.conf"),
            $"""

            archive_mode = off
            restore_command = 'cp {Archive}/%f %p'
            recovery_target_name = '{restorePoint}'
            recovery_target_action = 'promote'

            """
        );
        await ShellAsync($"cd '{Restored}/data' && touch recovery.signal && chown --reference=PG_VERSION recovery.signal backup_label");
        var server = await PrivateServer.StartInAsync(Restored);
        await using var source = NpgsqlDataSource.Create(server.ConnectionString);
        await Testing.Eventually.HoldsAsync(async () =>
        {
            await using var command = source.CreateCommand("select not pg_is_in_recovery()");
            return await command.ExecuteScalarAsync() is true;
        });
        return server;
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private static async Task ShellAsync(string script)
    {
        using var process = Process.Start("/bin/sh", ["-c", script]);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
