using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>What authentication says to the operator (event ids 8000 to 8099).</summary>
internal static partial class AuthLog
{
    [LoggerMessage(8000, LogLevel.Information, "Loaded {Count} keys that tokens are verified with")]
    public static partial void KeysLoaded(ILogger logger, int count);

    [LoggerMessage(8001, LogLevel.Warning, "The key set could not be loaded ({Reason}); {Consequence}")]
    public static partial void KeysNotLoaded(ILogger logger, string reason, string consequence);

    [LoggerMessage(8002, LogLevel.Warning, "Could not record when an API key was used ({Reason}); functions.api_keys shows an earlier use")]
    public static partial void ApiKeyUseNotRecorded(ILogger logger, string reason);
}
