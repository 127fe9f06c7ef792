using System.Globalization;
using System.Runtime.InteropServices;
using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Report;

/// <summary>What the figures depend on.</summary>
internal sealed record Machine(
    DateTimeOffset Date,
    string Processor,
    int Cores,
    string Kernel,
    string DotNet,
    string PostgreSql,
    string Workerd,
    string Node,
    string PeerNode,
    double LoadBefore
)
{
    /// <summary>Asks the machine, before anything else keeps it busy.</summary>
    /// <param name="repository">Where workerd is.</param>
    /// <param name="peerNode">The Node.js that runs peers, or <see langword="null"/>.</param>
    /// <param name="postgreSql">The server's version.</param>
    public static async Task<Machine> DescribeAsync(Repository repository, string? peerNode, string postgreSql) =>
        new(
            TimeProvider.System.GetLocalNow(),
            Processors(),
            Environment.ProcessorCount,
            $"Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}",
            RuntimeInformation.FrameworkDescription,
            postgreSql,
            await VersionAsync(repository.Workerd),
            await VersionAsync("node"),
            await VersionAsync(peerNode),
            Load()
        );

    private static async Task<string> VersionAsync(string? program)
    {
        if (program is null)
            return "none";
        try
        {
            return (await Command.RunAsync(program, ["--version"])).Trim().Replace("workerd ", "", StringComparison.Ordinal);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "none";
        }
    }

    private static string Processors() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            : RuntimeInformation.ProcessArchitecture.ToString();

    private static double Load() => double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);
}
