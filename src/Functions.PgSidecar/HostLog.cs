namespace Functions.PgSidecar;

/// <summary>The host's log, event ids 1000 to 1999.</summary>
internal static partial class HostLog
{
    [LoggerMessage(1001, LogLevel.Information, "pgfn {Version} serves on {Addresses}")]
    public static partial void Serving(ILogger logger, string version, string addresses);

    [LoggerMessage(1002, LogLevel.Error, "{Method} {Path} failed")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string method, string path);

    [LoggerMessage(1003, LogLevel.Information, "Updated the database schema: applied {Count} migrations and functions")]
    public static partial void Migrated(ILogger logger, int count);

    [LoggerMessage(1004, LogLevel.Warning, "{Warning}")]
    public static partial void DatabaseWarning(ILogger logger, string warning);

    [LoggerMessage(1005, LogLevel.Warning, "Could not reach the database; retrying in {Delay}: {Reason}")]
    public static partial void DatabaseAway(ILogger logger, TimeSpan delay, string reason);

    [LoggerMessage(
        1006,
        LogLevel.Warning,
        "The login of DATABASE_URL may not read the WAL, so row changes do not fire functions. Set PGFN_REPLICATION_URL to the "
            + "login that 'pgfn install' created for replication"
    )]
    public static partial void NoReplicationLogin(ILogger logger);

    [LoggerMessage(1007, LogLevel.Information, "Stopping; requests are accepted for another {Delay}, and /health/ready answers 503")]
    public static partial void ShutdownDelayed(ILogger logger, TimeSpan delay);
}
