using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>One statement of a function, parsed for sending: its kind is known, its D1 placeholders are translated.</summary>
internal sealed class SqlStatement
{
    private readonly PlaceholderMap placeholders;

    private SqlStatement(string text, StatementShape shape, PlaceholderMap placeholders, int parameterCount)
    {
        Text = text;
        Kind = shape.Kind;
        Command = shape.Command;
        RefusedForUsers = shape.RefusedForUsers;
        this.placeholders = placeholders;
        ParameterCount = parameterCount;
    }

    /// <summary>The statement as the server gets it: $n only, without a final semicolon.</summary>
    public string Text { get; }

    public StatementKind Kind { get; }

    /// <summary>The first keyword, upper case: SELECT, INSERT, CREATE ...</summary>
    public string Command { get; }

    /// <summary>The greatest parameter number.</summary>
    public int ParameterCount { get; }

    /// <summary>The part of it that only the service role may use, or null.</summary>
    public string? RefusedForUsers { get; }

    /// <summary>Reads a statement.</summary>
    /// <param name="sql">Exactly one statement; a final semicolon is allowed.</param>
    /// <param name="translatePlaceholders">Whether <c>?</c> and <c>?NNN</c> are parameters (unless there is a $n); else they are
    /// operators.</param>
    /// <exception cref="FunctionSqlException">None, several, text that never ends, or more than the limits of
    /// <see cref="SqlScript"/>.</exception>
    public static SqlStatement Parse(string sql, bool translatePlaceholders)
    {
        CheckText(sql);
        var statements = SqlScript.Split(sql);
        return statements.Count switch
        {
            0 => throw new FunctionSqlException(SqlErrorCodes.StatementCount, "The statement is empty."),
            1 => Create(statements[0], translatePlaceholders),
            _ => throw new FunctionSqlException(
                SqlErrorCodes.StatementCount,
                $"One statement is expected here, not {statements.Count}.",
                "Send them one by one, with batch, or with exec."
            ),
        };
    }

    /// <summary>A statement of the sidecar's own that reads or writes rows. It is not parsed.</summary>
    public static SqlStatement Trusted(string sql) => new(sql, new StatementShape(StatementKind.Data, "", null), PlaceholderMap.None, 0);

    /// <summary>Reads a script of statements without parameters.</summary>
    /// <exception cref="FunctionSqlException">Text that never ends, or more than the limits of <see cref="SqlScript"/>.</exception>
    public static IReadOnlyList<SqlStatement> ParseScript(string sql)
    {
        CheckText(sql);
        return [.. SqlScript.Split(sql).Select(statement => Create(statement, translatePlaceholders: false))];
    }

    /// <summary>The position in the function's text of a position in the sent text (both count characters from 1).</summary>
    public int OriginalPosition(int serverPosition) => placeholders.Original(Text, serverPosition);

    private static SqlStatement Create(SqlScript.Part part, bool translatePlaceholders)
    {
        var shape = StatementShape.Read(part.Text);
        var (text, map, count) = Placeholders.Translate(part.Text, translatePlaceholders);
        return new SqlStatement(text, shape, map with { Offset = part.CharacterOffset }, count);
    }

    private static void CheckText(string sql)
    {
        // The protocol ends a statement at the first NUL and would misread the rest.
        if (sql.Contains('\0'))
            throw new FunctionSqlException("22021", "The statement contains a NUL character.");
        if (!ReferenceEquals(PostgresText.Clean(sql), sql))
            throw new FunctionSqlException("22021", "The statement is not well-formed Unicode.");
    }
}
