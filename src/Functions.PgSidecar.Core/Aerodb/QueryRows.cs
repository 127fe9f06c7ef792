using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Aerodb;

/// <summary>
/// Writes a query's rows as objects: <c>{"command", "rowCount", "rows": [{column: value}]}</c>. Columns with the same name are repeated
/// members, of which most parsers keep the last.
/// </summary>
internal static class QueryRows
{
    /// <param name="answer">The database binding's answer: names in <c>fields</c>, rows as arrays.</param>
    public static ReadOnlyMemory<byte> Write(ReadOnlyMemory<byte> answer)
    {
        using var document = JsonDocument.Parse(answer, new JsonDocumentOptions { MaxDepth = 10_000 });
        var root = document.RootElement;
        var names = root.GetProperty("fields"u8)
            .EnumerateArray()
            .Select(field => JsonEncodedText.Encode(field.GetProperty("name"u8).GetString()!))
            .ToArray();
        var json = new ArrayBufferWriter<byte>(answer.Length + 256);
        using var writer = new Utf8JsonWriter(json, new JsonWriterOptions { SkipValidation = true });
        writer.WriteStartObject();
        foreach (var member in (string[])["command", "rowCount"])
        {
            writer.WritePropertyName(member);
            root.GetProperty(member).WriteTo(writer);
        }
        writer.WriteStartArray("rows"u8);
        foreach (var row in root.GetProperty("rows"u8).EnumerateArray())
        {
            writer.WriteStartObject();
            var column = 0;
            foreach (var value in row.EnumerateArray())
            {
                writer.WritePropertyName(names[column++]);
                // Copied as text, so that numbers keep all their digits.
                writer.WriteRawValue(value.GetRawText(), skipInputValidation: true);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
