using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>What authentication says to the operator (event ids 8000 to 8099).</summary>
internal static partial class AuthLog
{
    [LoggerMessage(8000, LogLevel.Information, "Loaded {Count} keys for verifying tokens")]
    public static partial void KeysLoaded(ILogger logger, int count);

    [LoggerMessage(8001, LogLevel.Warning, "Could not load the key set; {Consequence}: {Reason}")]
    public static partial void KeysNotLoaded(ILogger logger, string reason, string consequence);

    [LoggerMessage(8002, LogLevel.Warning, "Could not record the last use of API keys; functions.api_keys shows an earlier use: {Reason}")]
    public static partial void ApiKeyUseNotRecorded(ILogger logger, string reason);
}
