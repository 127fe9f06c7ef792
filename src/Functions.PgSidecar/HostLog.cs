namespace Functions.PgSidecar;

/// <summary>The host's log, event ids 1000 to 1999.</summary>
internal static partial class HostLog
{
    [LoggerMessage(1001, LogLevel.Information, "pgfn {Version} serves on {Addresses}")]
    public static partial void Serving(ILogger logger, string version, string addresses);

    [LoggerMessage(1002, LogLevel.Error, "{Method} {Path} failed")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string method, string path);

    [LoggerMessage(1003, LogLevel.Information, "Brought the database up to date: {Count} migrations and functions applied")]
    public static partial void Migrated(ILogger logger, int count);

    [LoggerMessage(1004, LogLevel.Warning, "{Warning}")]
    public static partial void DatabaseWarning(ILogger logger, string warning);

    [LoggerMessage(1005, LogLevel.Warning, "The database can't be reached, trying again in {Delay}: {Reason}")]
    public static partial void DatabaseAway(ILogger logger, TimeSpan delay, string reason);

}
