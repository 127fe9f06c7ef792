using System.ComponentModel;
using System.Globalization;
using Functions.PgSidecar.Benchmarks.Processes;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>
/// V8 as a contestant, in a process of its own: it is told the name of a workload and answers with milliseconds of processor time and the
/// result.
/// </summary>
internal sealed class PeerEngine : IDisposable
{
    private readonly LineProcess process;

    private PeerEngine(LineProcess process) => this.process = process;

    /// <summary>Starts it; null where Node.js is not installed.</summary>
    public static PeerEngine? TryStart(params string[] arguments)
    {
        try
        {
            return new PeerEngine(LineProcess.Start("node", arguments));
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>One round.</summary>
    public Round Run(string workload)
    {
        process.WriteLine(workload);
        var parts = process.ReadLineAsync(CancellationToken.None).GetAwaiter().GetResult().Split(' ', 2);
        return new Round(double.Parse(parts[0], CultureInfo.InvariantCulture), parts[1]);
    }

    public void Dispose() => process.Dispose();
}
