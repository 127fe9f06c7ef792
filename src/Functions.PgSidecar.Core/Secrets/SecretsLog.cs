using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>What secrets say to the operator (event ids 8100 to 8199).</summary>
internal static partial class SecretsLog
{
    [LoggerMessage(
        8100,
        LogLevel.Warning,
        "PGFN_SECRET_KEY is not set; generated a key in {Path}. Keep that file: without it this database's secrets can't be read,"
            + " and every other sidecar of the database needs it"
    )]
    public static partial void KeyFileCreated(ILogger logger, string path);

    [LoggerMessage(
        8101,
        LogLevel.Information,
        "Re-encrypted the key pair for secrets under the new PGFN_SECRET_KEY; PGFN_SECRET_KEY_PREVIOUS is no longer needed"
    )]
    public static partial void KeyPairRewrapped(ILogger logger);
}
