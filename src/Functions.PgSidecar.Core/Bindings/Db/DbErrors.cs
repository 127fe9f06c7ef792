using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Data;

namespace Functions.PgSidecar.Core.Bindings.Db;

/// <summary>An error of PostgreSQL as the guest gets it: an Error with the members that node-postgres gives, too.</summary>
internal static class DbErrors
{
    /// <summary>The error as JSON.</summary>
    public static ReadOnlyMemory<byte> Describe(FunctionSqlException error)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        writer.WriteString("name"u8, "DatabaseError"u8);
        writer.WriteString("message"u8, error.Message);
        writer.WriteString("code"u8, error.Code);
        Write(writer, "severity", error.Severity);
        Write(writer, "detail", error.Detail);
        Write(writer, "hint", error.Hint);
        Write(writer, "schema", error.Schema);
        Write(writer, "table", error.Table);
        Write(writer, "column", error.Column);
        Write(writer, "constraint", error.Constraint);
        if (error.Position is { } position)
            writer.WriteNumber("position"u8, position);
        if (error.StatementIndex is { } index)
            writer.WriteNumber("statement"u8, index);
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
            writer.WriteString(name, value);
    }
}
