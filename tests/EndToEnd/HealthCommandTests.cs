using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary><c>pgfn health</c>, which the image's health check runs.</summary>
public sealed class HealthCommandTests(SidecarFixture fixture)
{
    [Theory]
    [InlineData(false, "ready")]
    [InlineData(true, "live")]
    public async Task A_sidecar_that_serves_is_healthy(bool live, string status)
    {
        var (code, output, error) = await RunAsync(fixture.Sidecar.Url.ToString(), live ? ["--live"] : []);

        Assert.Equal((0, ""), (code, error));
        Assert.Contains($"\"status\":\"{status}\"", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://+:{0}")]
    [InlineData("http://*:{0}; http://127.0.0.1:9")]
    [InlineData("http://0.0.0.0:{0}")]
    public async Task A_sidecar_that_listens_on_every_interface_is_asked_on_the_loopback_one(string listen)
    {
        var (code, _, error) = await RunAsync(
            string.Format(System.Globalization.CultureInfo.InvariantCulture, listen, fixture.Sidecar.Url.Port)
        );

        Assert.Equal((0, ""), (code, error));
    }

    [Fact]
    public async Task A_sidecar_on_a_unix_socket_is_asked_there()
    {
        var directory = Directory.CreateTempSubdirectory("pgfn-health-");
        try
        {
            var listen = $"http://unix:{directory.FullName}/pgfn.sock";
            await using var database = await TestDatabase.CreateAsync();
            await using var sidecar = await SidecarProcess.StartAsync(
                database.ConnectionString,
                ("PGFN_LISTEN", $"{listen};http://127.0.0.1:0")
            );

            var (code, output, error) = await RunAsync(listen);

            Assert.Equal((0, ""), (code, error));
            Assert.Contains("ready", output, StringComparison.Ordinal);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_sidecar_that_does_not_answer_is_not_healthy()
    {
        // Bound and not listening: the port is refused, and no other process gets it.
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));

        var (code, output, error) = await RunAsync($"http://{taken.LocalEndPoint}");

        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith($"http://{taken.LocalEndPoint} does not answer: ", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task A_wrong_address_is_a_wrong_setting()
    {
        var (code, _, error) = await RunAsync("nowhere");

        Assert.Equal(2, code);
        Assert.StartsWith("PGFN_LISTEN: ", error, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string listen, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [SidecarProcess.Executable(), "health", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["PGFN_LISTEN"] = listen;
        // It needs no setting of the database.
        start.Environment.Remove("DATABASE_URL");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }
}
