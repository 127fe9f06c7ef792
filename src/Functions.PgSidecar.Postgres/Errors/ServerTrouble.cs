using Npgsql;

namespace Functions.PgSidecar.Postgres.Errors;

/// <summary>Distinguishes transient server problems from errors of the statement.</summary>
public static class ServerTrouble
{
    /// <summary>The server's routine that executes RAISE of PL/pgSQL, with any SQLSTATE.</summary>
    private const string RaiseRoutine = "exec_stmt_raise";

    /// <summary>
    /// The server accepts no work now: it is starting or shutting down (57P01 to 57P05), out of a resource (class 53), or the connection
    /// broke (class 08). Not 53400, which a statement causes by its own consumption (temp_file_limit).
    /// </summary>
    public static bool IsAway(string sqlState) =>
        sqlState.Length == 5
        && (
            sqlState.StartsWith("08", StringComparison.Ordinal)
            || sqlState.StartsWith("57P", StringComparison.Ordinal)
            || (sqlState.StartsWith("53", StringComparison.Ordinal) && sqlState != PostgresErrorCodes.ConfigurationLimitExceeded)
        );

    /// <summary>
    /// The server ran out of disk, memory or locks (53000, 53100, 53200) during a statement. The consumer is unknown: it may have been that
    /// statement.
    /// </summary>
    public static bool IsExhaustion(string sqlState) =>
        sqlState is PostgresErrorCodes.InsufficientResources or PostgresErrorCodes.DiskFull or PostgresErrorCodes.OutOfMemory;

    /// <summary>A conflict with another transaction: a serialization failure, a deadlock, a lock that was not available.</summary>
    public static bool IsContention(string sqlState) =>
        sqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable;

    /// <summary>Whether user code in the database raised the error: then its SQLSTATE says nothing about the server.</summary>
    public static bool IsRaisedByCode(PostgresException error) => error.Routine == RaiseRoutine;
}
