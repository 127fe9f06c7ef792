using System.Text.Json;
using Functions.PgSidecar.Postgres.Data;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>
/// The arguments of a database operation as the guest wrote them:
/// <c>{"sql","params":[string or null]}</c>, <c>{"statements":[...]}</c>, <c>{"tx":1}</c>.
/// </summary>
/// <param name="Statement">The statement, where there is one.</param>
/// <param name="Statements">The statements of a batch.</param>
/// <param name="Transaction">The transaction it belongs to.</param>
internal readonly record struct DbArguments(FunctionStatement Statement, IReadOnlyList<FunctionStatement> Statements, int? Transaction)
{
    /// <summary>Reads them.</summary>
    /// <exception cref="JsonException">No JSON.</exception>
    /// <exception cref="InvalidOperationException">A member is of another type.</exception>
    public static DbArguments Parse(ReadOnlyMemory<byte> json)
    {
        if (json.IsEmpty)
            return new DbArguments(new FunctionStatement(""), [], null);
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        var statements = root.TryGetProperty("statements"u8, out var list)
            ? list.EnumerateArray().Select(ReadStatement).ToList()
            : [];
        int? transaction = root.TryGetProperty("tx"u8, out var id) && id.ValueKind == JsonValueKind.Number ? id.GetInt32() : null;
        return new DbArguments(ReadStatement(root), statements, transaction);
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
        return new FunctionStatement(sql, parameters);
    }
}
