using System.Runtime.CompilerServices;
using Functions.PgSidecar.Postgres.Sql;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Data;

/// <summary>A statement that passed the gate, with parameters that fit it: what may be sent.</summary>
internal readonly struct PreparedStatement
{
    private PreparedStatement(SqlStatement statement, IReadOnlyList<string?> parameters)
    {
        Statement = statement;
        Parameters = parameters;
    }

    public SqlStatement Statement { get; }

    /// <summary>Whether it is of a kind with which the service role may have altered a role, or called what did.</summary>
    public bool MayAlterRoles => Statement.Kind is StatementKind.Definition or StatementKind.Service;

    private IReadOnlyList<string?> Parameters { get; }

    /// <exception cref="FunctionSqlException">The gate refuses it, or the parameters do not fit.</exception>
    public static PreparedStatement Create(FunctionStatement statement, bool isService)
    {
        var parsed = SqlStatement.Parse(statement.Sql, translatePlaceholders: statement.Parameters.Count > 0);
        StatementGate.Check(parsed, isService);
        if (parsed.ParameterCount != statement.Parameters.Count)
        {
            var expected = parsed.ParameterCount == int.MaxValue - 1 ? "a number of parameters that no statement can have" : $"{parsed.ParameterCount} parameters";
            throw new FunctionSqlException(SqlErrorCodes.ParameterCount, $"The statement has {expected}, but {statement.Parameters.Count} values were given.");
        }
        foreach (var parameter in statement.Parameters)
        {
            if (!ReferenceEquals(PostgresText.Clean(parameter), parameter))
                throw new FunctionSqlException("22021", "A parameter has a character that PostgreSQL's text can't hold (NUL or half a surrogate pair).");
        }
        return new PreparedStatement(parsed, statement.Parameters);
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
        foreach (var statement in statements) StatementGate.Check(statement, isService);
        return [.. statements.Select(statement => new PreparedStatement(statement, []))];
    }

    public NpgsqlBatchCommand ToCommand()
    {
        var command = new NpgsqlBatchCommand(Statement.Text);
        foreach (var parameter in Parameters)
            command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Unknown, Value = (object?)parameter ?? DBNull.Value });
        return command;
    }
}

/// <summary>What Npgsql has but does not show.</summary>
internal static class NpgsqlBatchAccess
{
    /// <summary>
    /// Asks for every value in text form, as NpgsqlCommand.AllResultTypesAreUnknown does for a command; on NpgsqlBatch the same property is
    /// internal in Npgsql 10. The version is pinned, and every test of a type fails when this ceases to work.
    /// </summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_AllResultTypesAreUnknown")]
    public static extern void SetAllResultTypesAreUnknown(this NpgsqlBatch batch, bool value);
}
