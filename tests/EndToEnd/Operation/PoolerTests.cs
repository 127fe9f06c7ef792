using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>A connection pooler between the sidecar and the server is recognised, and refused in one line.</summary>
public sealed class PoolerTests
{
    private const string Program = "/usr/sbin/pgbouncer";

    [Theory]
    [InlineData("session", true, "has become one as")]
    [InlineData("session", false, "The connection leads to a connection pooler")]
    [InlineData("transaction", false, "The connection leads to a connection pooler")]
    public async Task PgBouncer_is_refused_in_one_line(string mode, bool asOneUser, string expected)
    {
        Assert.SkipUnless(File.Exists(Program), "pgbouncer is not installed (apt-get install pgbouncer)");
        await using var database = await TestDatabase.CreateEmptyAsync();
        using var pooler = await StartAsync(database.ConnectionString, mode, asOneUser, "options");
        // As another login than that of the pooler, if it uses one.
        var connection = new NpgsqlConnectionStringBuilder(database.ConnectionString) { Host = "127.0.0.1", Port = pooler.Port };
        if (asOneUser)
            connection.Username = "somebody";
        var (code, output) = await ServeAsync(connection.ConnectionString);
        Assert.Equal(2, code);
        Assert.Contains(expected, output);
        Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Pooler_that_drops_options_is_named()
    {
        Assert.SkipUnless(File.Exists(Program), "pgbouncer is not installed (apt-get install pgbouncer)");
        await using var database = await TestDatabase.CreateEmptyAsync();
        using var pooler = await StartAsync(database.ConnectionString, "session", asOneUser: true, "extra_float_digits");
        var (code, output) = await ServeAsync(
            new NpgsqlConnectionStringBuilder(database.ConnectionString) { Host = "127.0.0.1", Port = pooler.Port }.ConnectionString
        );
        Assert.Equal(2, code);
        Assert.Contains("A connection pooler (PgBouncer) answered", output);
    }

    private static async Task<RunningPooler> StartAsync(string connectionString, string mode, bool asOneUser, string ignored)
    {
        var server = new NpgsqlConnectionStringBuilder(connectionString);
        var folder = Directory.CreateTempSubdirectory("pgfn-pooler-").FullName;
        var port = FreePort();
        await File.WriteAllTextAsync(Path.Combine(folder, "users.txt"), $"\"{server.Username}\" \"{server.Password}\"\n");
        await File.WriteAllTextAsync(
            Path.Combine(folder, "pgbouncer.ini"),
            $"""
            [databases]
            * = host={server.Host} port={server.Port} {(asOneUser ? $"user={server.Username} password={server.Password}" : "")}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            unix_socket_dir =
            auth_type = {(asOneUser ? "any" : "plain")}
            auth_file = {folder}/users.txt
            pool_mode = {mode}
            ignore_startup_parameters = {ignored}
            """
        );
        // It refuses to run as root.
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardError = true, RedirectStandardOutput = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(
            $"chmod -R a+rX {folder}; if [ $(id -u) = 0 ]; then exec setpriv --reuid nobody --regid nogroup --clear-groups {Program} {folder}/pgbouncer.ini; else exec {Program} {folder}/pgbouncer.ini; fi"
        );
        var pooler = new RunningPooler(Process.Start(start)!, port);
        await Eventually.HoldsAsync(async () =>
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
        return pooler;
    }

    private static async Task<(int Code, string Output)> ServeAsync(string connectionString)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(SidecarProcess.Executable());
        start.ArgumentList.Add("serve");
        start.Environment["DATABASE_URL"] = connectionString;
        start.Environment["PGFN_LISTEN"] = "http://127.0.0.1:0";
        start.Environment["PGFN_SECRET_KEY"] = "the-end-to-end-tests-seal-with-this-key-0123456789";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, error + await output);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed record RunningPooler(Process Process, int Port) : IDisposable
    {
        public void Dispose()
        {
            Process.Kill();
            Process.WaitForExit();
            Process.Dispose();
        }
    }
}
