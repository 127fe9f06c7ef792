using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Management;

/// <summary>The log of what was managed over HTTP, event ids 8100 to 8199.</summary>
internal static partial class ManagementLog
{
    [LoggerMessage(8100, LogLevel.Information, "{Manager} changed the configuration: {Method} {Path}")]
    public static partial void Changed(ILogger logger, string manager, string method, string path);
}
