using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class ClusterScriptTests
{
    [Fact]
    public async Task A_cluster_starts_keeps_its_port_and_says_when_one_is_taken()
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
            var taken = await Assert.ThrowsAsync<InvalidOperationException>(() => PostgresServer.RunClusterScriptAsync("start", second, "--fast", "--port", port));
            Assert.Equal($"cluster.sh start failed (2): cluster: port {port} is taken; choose another one", taken.Message);

            await PostgresServer.RunClusterScriptAsync("stop", first);
            Assert.Contains("(3)", (await Assert.ThrowsAsync<InvalidOperationException>(() => PostgresServer.RunClusterScriptAsync("status", first))).Message);
            Assert.Equal(started, await PostgresServer.RunClusterScriptAsync("start", first, "--fast"));
        }
        finally
        {
            await PostgresServer.RunClusterScriptAsync("stop", first);
            foreach (var directory in (string[])[first, second])
            {
                if (Directory.Exists(directory)) Directory.Delete(directory, recursive: true);
            }
        }
    }
}
