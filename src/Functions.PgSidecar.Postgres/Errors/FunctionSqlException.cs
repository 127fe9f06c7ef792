using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Errors;

/// <summary>
/// A function's statement failed: PostgreSQL or the gate refused it, or the database is unavailable. Never contains a connection string.
/// </summary>
public sealed class FunctionSqlException : Exception
{
    /// <summary>The greatest length of a message, detail or hint of PostgreSQL's that is passed on, in UTF-16 units.</summary>
    private const int MaxTextLength = 8192;

    /// <summary>An error of the gate or of the data plane itself.</summary>
    /// <param name="code">A SQLSTATE, or one of <see cref="SqlErrorCodes"/>.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="hint">What to do about it.</param>
    /// <param name="innerException">What caused it.</param>
    public FunctionSqlException(string code, string message, string? hint = null, Exception? innerException = null)
        : base(message, innerException)
    {
        Code = code;
        Hint = hint;
    }

    /// <summary>SQLSTATE (five characters) when PostgreSQL raised it, else one of <see cref="SqlErrorCodes"/>.</summary>
    public string Code { get; }

    /// <summary>ERROR, FATAL or PANIC in English, when PostgreSQL raised it.</summary>
    public string? Severity { get; init; }

    /// <summary>PostgreSQL's detail.</summary>
    public string? Detail { get; init; }

    /// <summary>What to do about it.</summary>
    public string? Hint { get; init; }

    /// <summary>Where in the statement as the function wrote it, counted in characters from 1; null when unknown.</summary>
    public int? Position { get; init; }

    /// <summary>The schema the error is about.</summary>
    public string? Schema { get; init; }

    /// <summary>The table the error is about.</summary>
    public string? Table { get; init; }

    /// <summary>The column the error is about.</summary>
    public string? Column { get; init; }

    /// <summary>The constraint that was violated.</summary>
    public string? Constraint { get; init; }

    /// <summary>Which statement of a batch or script failed, from 0; null for a single statement.</summary>
    public int? StatementIndex { get; init; }

    /// <summary>The database can't be reached or accepts no work now: answer 503, and retry later.</summary>
    public bool IsUnavailable { get; init; }

    /// <summary>
    /// The server was available when the statement began, and ran out of a resource or stopped during it. <see cref="IsUnavailable"/> is
    /// set as well, but the statement itself may be the cause, so it must not be repeated for ever.
    /// </summary>
    public bool MayBeItsOwnDoing { get; init; }

    /// <summary>
    /// A statement that was its own transaction conflicted with another transaction: the same statement may succeed in a moment. Never set
    /// in a transaction that the function began: repeating that one is up to the function.
    /// </summary>
    public bool IsContention { get; init; }

    /// <summary>The session ended during the statement, alone or because the server stops.</summary>
    internal bool IsSessionLost { get; init; }

    /// <summary>The error of a session that was ended although the server goes on.</summary>
    internal static FunctionSqlException SessionEnded(FunctionSqlException lost) =>
        new(
            SqlErrorCodes.SessionEnded,
            "The statement's session was ended, although the server goes on.",
            "The sidecar ends sessions that alter a role. Otherwise the statement or an administrator ended it: see PostgreSQL's log.",
            lost
        )
        {
            StatementIndex = lost.StatementIndex,
        };

    /// <param name="error">The server's error.</param>
    /// <param name="position">Where in the function's text.</param>
    /// <param name="statementIndex">Of a batch or script.</param>
    /// <param name="inTransaction">Whether the statement was part of a transaction that the function began.</param>
    internal static FunctionSqlException From(PostgresException error, int? position, int? statementIndex, bool inTransaction) =>
        new(error.SqlState, Short(error.MessageText), Short(error.Hint))
        {
            Severity = error.InvariantSeverity,
            Detail = Short(error.Detail),
            Position = position,
            Schema = error.SchemaName,
            Table = error.TableName,
            Column = error.ColumnName,
            Constraint = error.ConstraintName,
            StatementIndex = statementIndex,
            IsUnavailable = ServerTrouble.IsAway(error.SqlState) && !ServerTrouble.IsRaisedByCode(error),
            MayBeItsOwnDoing =
                !ServerTrouble.IsRaisedByCode(error)
                && (
                    ServerTrouble.IsExhaustion(error.SqlState)
                    || error.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
                ),
            IsSessionLost = error.SqlState == PostgresErrorCodes.AdminShutdown && !ServerTrouble.IsRaisedByCode(error),
            IsContention = !inTransaction && ServerTrouble.IsContention(error.SqlState) && !ServerTrouble.IsRaisedByCode(error),
        };

    /// <summary>PostgreSQL repeats the whole refused value, however long it is.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    private static string? Short(string? text)
    {
        if (text is null || text.Length <= MaxTextLength)
            return text;
        var length = char.IsHighSurrogate(text[MaxTextLength - 1]) ? MaxTextLength - 1 : MaxTextLength;
        return string.Concat(text.AsSpan(0, length), " ...");
    }
}

/// <summary>Error codes of the data plane itself, in addition to PostgreSQL's SQLSTATEs.</summary>
public static class SqlErrorCodes
{
    /// <summary>This kind of statement is not allowed for functions, or not for the caller's role.</summary>
    public const string StatementRefused = "PGFN5001";

    /// <summary>More than one statement where one is expected, or none; or more than a script or batch may have.</summary>
    public const string StatementCount = "PGFN5002";

    /// <summary>The number of parameters does not fit the statement.</summary>
    public const string ParameterCount = "PGFN5003";

    /// <summary>The result is larger than the limit.</summary>
    public const string ResultTooLarge = "PGFN5004";

    /// <summary>The function's statements have no login for the caller's role.</summary>
    public const string RoleNotGranted = "PGFN5005";

    /// <summary>The transaction has ended already, or a statement in it failed.</summary>
    public const string TransactionEnded = "PGFN5006";

    /// <summary>The text of the statement or script is longer than the limit.</summary>
    public const string TextTooLong = "PGFN5007";

    /// <summary>The database can't be reached.</summary>
    public const string Unavailable = "DATABASE_UNAVAILABLE";

    /// <summary>All connections of the role, or all that one function may hold, stayed in use.</summary>
    public const string ConnectionsInUse = "DATABASE_BUSY";

    /// <summary>The statement's session was ended, and the server was not.</summary>
    public const string SessionEnded = "PGFN5008";

    /// <summary>A pooler stands between the sidecar and the server.</summary>
    public const string Pooler = "PGFN0505";
}
