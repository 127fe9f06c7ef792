using Functions.PgSidecar.Postgres.Errors;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>A statement that passed the gate, with matching parameters, ready to send.</summary>
internal readonly struct PreparedStatement
{
    private PreparedStatement(SqlStatement statement, IReadOnlyList<string?> parameters)
    {
        Statement = statement;
        Parameters = parameters;
    }

    public SqlStatement Statement { get; }

    /// <summary>Whether it is of a kind that can alter a role, directly or by calling code.</summary>
    public bool MayAlterRoles => Statement.Kind is StatementKind.Definition or StatementKind.Service;

    /// <summary>The parameters of a function's statement, as text; the server infers their types.</summary>
    public IReadOnlyList<string?> Parameters { get; }

    /// <summary>The parameters of a statement of the sidecar's own, with the types of their values.</summary>
    private IReadOnlyList<object?>? Typed { get; init; }

    private IReadOnlyList<byte>? FloatSizes { get; init; }

    /// <summary>The bytes of a number, if a parameter is an array of floating-point numbers; else 0.</summary>
    public int FloatSize(int index) => FloatSizes is { } sizes && index < sizes.Count ? sizes[index] : 0;

    /// <summary>A statement of the sidecar's own, which needs no gate.</summary>
    public static PreparedStatement Create(BindingStatement statement) =>
        new(SqlStatement.Trusted(statement.Sql), []) { Typed = statement.Parameters };

    /// <summary>The same statement with other values.</summary>
    public PreparedStatement With(IReadOnlyList<string?> parameters) => new(Statement, parameters);

    /// <exception cref="FunctionSqlException">The gate refuses it, or the parameters do not fit.</exception>
    public static PreparedStatement Create(FunctionStatement statement, bool isService)
    {
        var parsed = SqlStatement.Parse(statement.Sql, translatePlaceholders: statement.Parameters.Count > 0);
        StatementGate.Check(parsed, isService);
        if (parsed.ParameterCount != statement.Parameters.Count)
        {
            var expected =
                parsed.ParameterCount == int.MaxValue - 1
                    ? "a number of parameters that no statement can have"
                    : $"{parsed.ParameterCount} parameters";
            throw new FunctionSqlException(
                SqlErrorCodes.ParameterCount,
                $"The statement has {expected}, but {statement.Parameters.Count} values were given."
            );
        }
        foreach (var parameter in statement.Parameters)
        {
            if (!ReferenceEquals(PostgresText.Clean(parameter), parameter))
                throw new FunctionSqlException(
                    "22021",
                    "A parameter has a character that PostgreSQL's text can't hold (NUL or half a surrogate pair)."
                );
        }
        return new PreparedStatement(parsed, statement.Parameters) { FloatSizes = statement.FloatSizes };
    }

    /// <summary>The statements of a batch, each through the gate.</summary>
    public static IReadOnlyList<PreparedStatement> CreateBatch(IReadOnlyList<FunctionStatement> statements, bool isService)
    {
        SqlScript.CheckCount(statements.Count);
        return [.. statements.Select(statement => Create(statement, isService))];
    }

    /// <summary>The statements of a script, each through the gate.</summary>
    public static IReadOnlyList<PreparedStatement> CreateScript(string sql, bool isService)
    {
        var statements = SqlStatement.ParseScript(sql);
        foreach (var statement in statements)
            StatementGate.Check(statement, isService);
        return [.. statements.Select(statement => new PreparedStatement(statement, []))];
    }

    public NpgsqlBatchCommand ToCommand()
    {
        var command = new NpgsqlBatchCommand(Statement.Text);
        foreach (var value in Typed ?? [])
            command.Parameters.Add(value is null ? Null() : new NpgsqlParameter { Value = value });
        foreach (var parameter in Parameters)
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Unknown, Value = (object?)parameter ?? DBNull.Value });
        return command;
    }

    private static NpgsqlParameter Null() => new() { NpgsqlDbType = NpgsqlDbType.Unknown, Value = DBNull.Value };
}
