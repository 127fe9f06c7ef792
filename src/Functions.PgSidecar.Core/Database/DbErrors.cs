using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Core.Database;

/// <summary>A PostgreSQL error in the guest: an Error with the members that node-postgres provides.</summary>
internal static class DbErrors
{
    /// <summary>SQLSTATE insufficient_privilege, which row-level security policies raise as well.</summary>
    private const string InsufficientPrivilege = "42501";

    /// <summary>The error as JSON.</summary>
    /// <param name="error">The error.</param>
    /// <param name="writer">The login that made the change, if it is not a role of functions and the function runs as another role;
    /// otherwise null.</param>
    public static ReadOnlyMemory<byte> Describe(FunctionSqlException error, string? writer)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("name"u8, "DatabaseError"u8);
        json.WriteString(
            "message"u8,
            writer is not null && error.Code == InsufficientPrivilege ? error.Message + WhyAnon(writer) : error.Message
        );
        json.WriteString("code"u8, error.Code);
        Write(json, "severity", error.Severity);
        Write(json, "detail", error.Detail);
        Write(json, "hint", error.Hint);
        Write(json, "schema", error.Schema);
        Write(json, "table", error.Table);
        Write(json, "column", error.Column);
        Write(json, "constraint", error.Constraint);
        if (error.Position is { } position)
            json.WriteNumber("position"u8, position);
        if (error.StatementIndex is { } index)
            json.WriteNumber("statement"u8, index);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static string WhyAnon(string writer) =>
        $". The function runs as anon here, because it was fired by \"{writer}\", which is not a role of functions. To run it as another "
        + "role, give the trigger (or the function) the option role.";

    private static void Write(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
            writer.WriteString(name, value);
    }
}
