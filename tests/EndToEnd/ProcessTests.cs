namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>The privileges of the serving process in the kernel.</summary>
public sealed class ProcessTests(SidecarFixture sidecar)
{
    [Fact]
    public void No_thread_can_gain_privileges()
    {
        var threads = Directory.GetDirectories($"/proc/{sidecar.Sidecar.Id}/task");
        Assert.NotEmpty(threads);
        Assert.All(threads, thread => Assert.Contains("NoNewPrivs:\t1", File.ReadAllText(thread + "/status"), StringComparison.Ordinal));
    }

    [Fact]
    public void There_is_no_diagnostics_socket()
    {
        Assert.Contains("DOTNET_EnableDiagnostics=0", File.ReadAllText($"/proc/{sidecar.Sidecar.Id}/environ").Split('\0'));
        Assert.Empty(Sockets(sidecar.Sidecar.Id));
        // This process has one, so it would be found.
        Assert.NotEmpty(Sockets(Environment.ProcessId));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Diagnostics_can_be_enabled()
    {
        await using var open = await SidecarProcess.StartAsync(sidecar.Database.ConnectionString, ("DOTNET_EnableDiagnostics", "1"));
        Assert.NotEmpty(Sockets(open.Id));
    }

    private static string[] Sockets(int process) => Directory.GetFileSystemEntries(Path.GetTempPath(), $"dotnet-diagnostic-{process}-*");
}
