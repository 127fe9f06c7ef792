using Microsoft.Extensions.Hosting;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Ends the process in an orderly way; its supervisor is expected to restart it.</summary>
internal sealed class SidecarEnd(IHostApplicationLifetime lifetime)
{
    /// <summary>The exit code of a sidecar whose database was replaced.</summary>
    public const int DatabaseReplaced = 3;

    /// <summary>The exit code of the process.</summary>
    public int ExitCode { get; private set; }

    /// <summary>Stops the sidecar.</summary>
    public void Begin(int exitCode)
    {
        ExitCode = exitCode;
        lifetime.StopApplication();
    }
}
