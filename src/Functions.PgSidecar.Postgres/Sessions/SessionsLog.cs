using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>The sidecar's own log of functions' connections, event ids 6100 to 6199.</summary>
internal static partial class SessionsLog
{
    [LoggerMessage(
        6101,
        LogLevel.Warning,
        "A statement of function '{Function}' (role {Role}) ended at neither its timeout nor a cancel. PostgreSQL process {Pid} "
            + "was told to terminate, and counts among the function's connections until it has"
    )]
    public static partial void Abandoned(ILogger logger, string function, string role, int pid);

    [LoggerMessage(
        6102,
        LogLevel.Information,
        "PostgreSQL process {Pid} of function '{Function}', which could not be stopped, has ended after {Elapsed}"
    )]
    public static partial void AbandonedEnded(ILogger logger, int pid, string function, TimeSpan elapsed);

    [LoggerMessage(
        6103,
        LogLevel.Warning,
        "Could not check whether PostgreSQL process {Pid} of function '{Function}' still runs, retrying in 1 s: {Reason}"
    )]
    public static partial void AbandonedRetry(ILogger logger, int pid, string function, string reason);

    [LoggerMessage(
        6104,
        LogLevel.Error,
        "PostgreSQL process {Pid} of function '{Function}' (role {Role}) could not be watched. If it still runs, end it with "
            + "pg_terminate_backend"
    )]
    public static partial void AbandonedUnknown(ILogger logger, Exception exception, int pid, string function, string role);
}
