using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Aerodb;

/// <summary>
/// Writes the arguments of operations, as the bindings read them, from those of the imports of <see cref="AerodbImports"/>.
/// </summary>
internal static class OperationArguments
{
    /// <summary>No arguments.</summary>
    public static ReadOnlyMemory<byte> None { get; } = "{}"u8.ToArray();

    /// <summary>The arguments of <c>db.query</c>.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="values">A JSON array, or nothing. Texts are passed as they are; numbers, booleans, arrays and objects as their
    /// JSON.</param>
    /// <param name="transaction">The open transaction that it runs in; <see langword="null"/> for its own.</param>
    /// <returns>Null if the values are no array.</returns>
    public static ReadOnlyMemory<byte>? TryQuery(string sql, ReadOnlyMemory<byte> values, int? transaction) =>
        Try(values.IsEmpty ? "[]"u8.ToArray() : values, root =>
        {
            if (root.ValueKind != JsonValueKind.Array)
                return null;
            return Write(writer =>
            {
                writer.WriteString("sql"u8, sql);
                writer.WriteStartArray("params"u8);
                foreach (var value in root.EnumerateArray())
                    WriteParameter(writer, value);
                writer.WriteEndArray();
                if (transaction is { } id)
                    writer.WriteNumber("tx"u8, id);
            });
        });

    /// <summary>The arguments of <c>db.commit</c> and <c>db.rollback</c>.</summary>
    public static ReadOnlyMemory<byte> OfTransaction(int transaction) => Encoding.UTF8.GetBytes($$"""{"tx":{{transaction}}}""");

    /// <summary>Reads the transaction from the result of <c>db.begin</c>.</summary>
    public static int ReadTransaction(ReadOnlyMemory<byte> result)
    {
        using var document = JsonDocument.Parse(result);
        return document.RootElement.GetProperty("tx"u8).GetInt32();
    }

    /// <summary>The arguments of <c>fetch</c>.</summary>
    /// <param name="request">A JSON object with <c>url</c> and optionally <c>method</c>, <c>headers</c> (an object),
    /// <c>redirect</c>.</param>
    /// <returns>Null if it is no such object.</returns>
    public static ReadOnlyMemory<byte>? TryFetch(ReadOnlyMemory<byte> request) => Try(request, root =>
        {
            if (root.ValueKind != JsonValueKind.Object || !IsText(root, "url"u8))
                return null;
            return Write(writer =>
            {
                foreach (var member in (string[])["url", "method", "redirect"])
                {
                    if (root.TryGetProperty(member, out var text))
                        writer.WriteString(member, text.GetString());
                }
                writer.WriteStartArray("headers"u8);
                if (root.TryGetProperty("headers"u8, out var headers))
                {
                    foreach (var header in headers.EnumerateObject())
                        WritePair(writer, header.Name, header.Value.GetString());
                }
                writer.WriteEndArray();
            });
        });

    private static void WriteParameter(Utf8JsonWriter writer, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null)
            writer.WriteNullValue();
        else if (value.ValueKind == JsonValueKind.String)
            writer.WriteStringValue(value.GetString());
        else
            writer.WriteStringValue(value.GetRawText());
    }

    private static void WritePair(Utf8JsonWriter writer, string name, string? value)
    {
        writer.WriteStartArray();
        writer.WriteStringValue(name);
        writer.WriteStringValue(value);
        writer.WriteEndArray();
    }

    private static bool IsText(JsonElement of, ReadOnlySpan<byte> member) =>
        of.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String;

    private static ReadOnlyMemory<byte>? Try(ReadOnlyMemory<byte> json, Func<JsonElement, ReadOnlyMemory<byte>?> write)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return write(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, a member of another type, or a text that is not valid Unicode.
            return null;
        }
    }

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> members)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        members(writer);
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
