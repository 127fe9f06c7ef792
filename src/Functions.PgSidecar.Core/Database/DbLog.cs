using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Database;

/// <summary>What the database binding says to the operator (event ids 6000 to 6099).</summary>
internal static partial class DbLog
{
    [LoggerMessage(
        6000,
        LogLevel.Warning,
        "Login {Login} was altered or used outside the sidecars: {Finding}. Look for a function whose code does that, and "
            + "restrict the login in pg_hba.conf"
    )]
    public static partial void LoginGuarded(ILogger logger, string login, string finding);

    [LoggerMessage(6001, LogLevel.Warning, "Could not check the logins of functions; retrying within seconds: {Reason}")]
    public static partial void LoginsNotGuarded(ILogger logger, string reason);
}
