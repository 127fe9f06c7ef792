using System.Diagnostics;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class ClusterScriptTests
{
    [Fact]
    public async Task Cluster_keeps_its_port_and_a_taken_port_is_reported()
    {
        var first = Path.Combine(Path.GetTempPath(), $"pgfn-first-{Environment.ProcessId}");
        var second = Path.Combine(Path.GetTempPath(), $"pgfn-second-{Environment.ProcessId}");
        try
        {
            var started = await PostgresServer.RunClusterScriptAsync("start", first, PostgresServer.ClusterOptions);
            Assert.Equal(started, await PostgresServer.RunClusterScriptAsync("status", first));
            await using (var connection = new NpgsqlConnection(started))
            {
                await connection.OpenAsync();
                await using var level = new NpgsqlCommand("show wal_level", connection);
                Assert.Equal("logical", await level.ExecuteScalarAsync());
            }

            var port = new NpgsqlConnectionStringBuilder(started).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);
            var taken = await Assert.ThrowsAsync<InvalidOperationException>(() =>
                PostgresServer.RunClusterScriptAsync("start", second, "--fast", "--port", port)
            );
            Assert.Equal($"cluster.sh start failed (2): cluster: port {port} is taken; choose another one", taken.Message);

            await PostgresServer.RunClusterScriptAsync("stop", first);
            Assert.Contains(
                "(3)",
                (await Assert.ThrowsAsync<InvalidOperationException>(() => PostgresServer.RunClusterScriptAsync("status", first))).Message
            );
            Assert.Equal(started, await PostgresServer.RunClusterScriptAsync("start", first, "--fast"));
        }
        finally
        {
            await PostgresServer.RunClusterScriptAsync("stop", first);
            foreach (var directory in (string[])[first, second])
            {
                if (Directory.Exists(directory))
                    Directory.Delete(directory, recursive: true);
            }
        }
    }

    [Fact]
    public async Task Ended_server_that_its_parent_has_not_collected_counts_as_stopped()
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-zombie-{Environment.ProcessId}");
        Process? parent = null;
        try
        {
            var started = await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
            await PostgresServer.RunClusterScriptAsync("stop", directory);

            // A process that never collects its child: "sleep", which has taken the place of the child's shell. Both run as the server's
            // user.
            const string Script =
                """exec setpriv --reuid "$(stat -c %u "$0")" --regid "$(stat -c %g "$0")" --keep-groups sh -c 'sleep 600 & echo $!; exec sleep 600'""";
            var data = Path.Combine(directory, "data");
            parent = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", Script, data]) { RedirectStandardOutput = true })!;
            var zombie = await parent.StandardOutput.ReadLineAsync();
            await Eventually.HoldsAsync(async () => await File.ReadAllTextAsync($"/proc/{parent.Id}/comm") == "sleep\n");
            using (var child = Process.GetProcessById(int.Parse(zombie!, System.Globalization.CultureInfo.InvariantCulture)))
            {
                child.Kill();
            }
            await Eventually.HoldsAsync(async () =>
                (await File.ReadAllTextAsync($"/proc/{zombie}/status")).Contains("State:\tZ", StringComparison.Ordinal)
            );
            await File.WriteAllTextAsync(Path.Combine(data, "postmaster.pid"), zombie + "\n");

            Assert.Contains(
                "(3)",
                (
                    await Assert.ThrowsAsync<InvalidOperationException>(() => PostgresServer.RunClusterScriptAsync("status", directory))
                ).Message
            );
            Assert.Equal(started, await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions[..1]));
        }
        finally
        {
            parent?.Kill();
            parent?.Dispose();
            await PostgresServer.RunClusterScriptAsync("stop", directory);
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public async Task Removed_cluster_leaves_neither_its_folder_nor_a_watching_process()
    {
        var directory = Path.Combine(Path.GetTempPath(), $"pgfn-cluster-{Guid.NewGuid():n}");
        await PostgresServer.RunClusterScriptAsync("start", directory, PostgresServer.ClusterOptions);
        Assert.True(IsNamedByAProcess(directory));

        await PostgresServer.RunClusterScriptAsync("remove", directory);

        Assert.False(Directory.Exists(directory));
        await Eventually.HoldsAsync(() => Task.FromResult(!IsNamedByAProcess(directory)));
        await PostgresServer.RunClusterScriptAsync("remove", directory);
    }

    private static bool IsNamedByAProcess(string text) =>
        Directory
            .EnumerateDirectories("/proc")
            .Any(process =>
            {
                try
                {
                    return File.ReadAllText(Path.Combine(process, "cmdline")).Contains(text, StringComparison.Ordinal);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    return false; // it has ended meanwhile, or is no process
                }
            });
}
