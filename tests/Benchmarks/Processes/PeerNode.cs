using System.ComponentModel;

namespace Functions.PgSidecar.Benchmarks.Processes;

/// <summary>The Node.js that runs the job queues and Miniflare, which refuse versions before 22.</summary>
internal static class PeerNode
{
    private const int OldestMajor = 22;

    /// <summary>The one that npm installed, else the machine's if it is new enough, else <see langword="null"/>.</summary>
    public static async Task<string?> FindAsync(Repository repository)
    {
        if (repository.PackagedNode is { } packaged)
            return packaged;
        try
        {
            var version = (await Command.RunAsync("node", ["--version"])).Trim().TrimStart('v');
            return Version.TryParse(version, out var parsed) && parsed.Major >= OldestMajor ? "node" : null;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
