using Microsoft.Extensions.Hosting;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Ends the process for a reason of its own, in good order: whoever supervises it starts it again.</summary>
internal sealed class SidecarEnd(IHostApplicationLifetime lifetime)
{
    /// <summary>The exit code of a sidecar whose database has become another one.</summary>
    public const int DatabaseReplaced = 3;

    /// <summary>What the process exits with.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Stops the sidecar.</summary>
    public void Begin(int exitCode)
    {
        ExitCode = exitCode;
        lifetime.StopApplication();
    }
}
