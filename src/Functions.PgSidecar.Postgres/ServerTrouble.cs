using Npgsql;

namespace Functions.PgSidecar.Postgres;

/// <summary>Tells passing trouble of the server from errors of the statement.</summary>
public static class ServerTrouble
{
    /// <summary>The routine of the server that raises what PL/pgSQL code raises with RAISE, whatever SQLSTATE it chose.</summary>
    private const string RaiseRoutine = "exec_stmt_raise";

    /// <summary>
    /// The server takes no work now: it is starting or shutting down (57P01 to 57P05), out of a resource (class 53), or the connection broke (class 08).
    /// Not 53400, which a statement gets for its own greed (temp_file_limit).
    /// </summary>
    public static bool IsAway(string sqlState) => sqlState.Length == 5
        && (sqlState.StartsWith("08", StringComparison.Ordinal) || sqlState.StartsWith("57P", StringComparison.Ordinal)
            || (sqlState.StartsWith("53", StringComparison.Ordinal) && sqlState != PostgresErrorCodes.ConfigurationLimitExceeded));

    /// <summary>Another transaction was in the way: a serialization failure, a deadlock, a lock that was not available.</summary>
    public static bool IsContention(string sqlState) =>
        sqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable;

    /// <summary>Whether code of the database's own raised the error: its SQLSTATE says nothing about the server then.</summary>
    public static bool IsRaisedByCode(PostgresException error) => error.Routine == RaiseRoutine;
}
