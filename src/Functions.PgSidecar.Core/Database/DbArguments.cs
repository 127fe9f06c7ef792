using System.Text.Json;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Core.Database;

/// <summary>
/// The arguments of a database operation as the guest wrote them:
/// <c>{"sql","params":[string or null],"floats"?:[0, 4 or 8]}</c>, <c>{"statements":[...]}</c>, <c>{"tx":1}</c>.
/// </summary>
/// <param name="Statement">The statement, if there is one.</param>
/// <param name="Statements">The statements of a batch.</param>
/// <param name="Transaction">The transaction it belongs to.</param>
internal readonly record struct DbArguments(FunctionStatement Statement, IReadOnlyList<FunctionStatement> Statements, int? Transaction)
{
    /// <summary>Reads them.</summary>
    /// <exception cref="InvalidOperationException">A member is of another type.</exception>
    public static DbArguments Read(JsonElement arguments)
    {
        if (arguments.ValueKind == JsonValueKind.Undefined)
            return new DbArguments(new FunctionStatement(""), [], null);
        var statements = arguments.TryGetProperty("statements"u8, out var list) ? list.EnumerateArray().Select(ReadStatement).ToList() : [];
        int? transaction = arguments.TryGetProperty("tx"u8, out var id) && id.ValueKind == JsonValueKind.Number ? id.GetInt32() : null;
        return new DbArguments(ReadStatement(arguments), statements, transaction);
    }

    private static FunctionStatement ReadStatement(JsonElement statement)
    {
        var sql = statement.TryGetProperty("sql"u8, out var text) ? text.GetString() ?? "" : "";
        if (!statement.TryGetProperty("params"u8, out var values) || values.GetArrayLength() == 0)
            return new FunctionStatement(sql);
        var parameters = new string?[values.GetArrayLength()];
        var index = 0;
        foreach (var value in values.EnumerateArray())
            parameters[index++] = value.GetString();
        return new FunctionStatement(sql, parameters)
        {
            FloatSizes = statement.TryGetProperty("floats"u8, out var sizes)
                ? [.. sizes.EnumerateArray().Select(size => size.GetByte() is 4 or 8 ? size.GetByte() : (byte)0)]
                : null,
        };
    }
}
