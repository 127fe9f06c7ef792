using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Aerodb;

/// <summary>Writes a response's head for modules: <c>{"status", "statusText", "url", "redirected", "headers": {name: value}}</c>.</summary>
internal static class FetchHead
{
    /// <param name="answer">The binding's answer: headers as pairs, and <c>stream</c> if the body must be read separately.</param>
    /// <param name="stream">The number of that body.</param>
    public static ReadOnlyMemory<byte> Write(ReadOnlyMemory<byte> answer, out int? stream)
    {
        using var document = JsonDocument.Parse(answer);
        var root = document.RootElement;
        stream = root.TryGetProperty("stream"u8, out var id) ? id.GetInt32() : null;
        var json = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        foreach (var member in (string[])["status", "statusText", "url", "redirected"])
        {
            writer.WritePropertyName(member);
            root.GetProperty(member).WriteTo(writer);
        }
        writer.WriteStartObject("headers"u8);
        var byName = root.GetProperty("headers"u8)
            .EnumerateArray()
            .GroupBy(pair => pair[0].GetString()!.ToLowerInvariant(), pair => pair[1].GetString());
        foreach (var header in byName)
            writer.WriteString(header.Key, string.Join(", ", header));
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
