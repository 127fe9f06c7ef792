using System.Buffers.Text;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;

/// <summary>Splits a deployed source into the code and the source map that its bundler put into the last line.</summary>
internal static class SourceText
{
    private const string Comment = "//# sourceMappingURL=data:application/json";
    private const string Encoded = ";base64,";

    /// <summary>Larger maps are ignored: errors then name places in the bundle.</summary>
    private const int MaxMappings = 8 << 20;

    private const int MaxSources = 20_000;

    /// <summary>
    /// Splits off the map, which would only take memory of the guest. The map is <see langword="null"/> if there is none or it can't be
    /// read.
    /// </summary>
    public static (string Code, SourceMap? Map) Split(string fileName, string source)
    {
        var start = source.LastIndexOf(Comment, StringComparison.Ordinal);
        if (start < 0)
            return (source, null);
        var end = source.AsSpan(start).IndexOfAny('\r', '\n');
        var comment = source.AsSpan(start, end < 0 ? source.Length - start : end);
        var encoding = comment.IndexOf(Encoded, StringComparison.Ordinal);
        // Only a whole line at the end of the source is its map; elsewhere the same text may be in a string.
        if (encoding < 0 || (start > 0 && source[start - 1] is not ('\n' or '\r')) || !source.AsSpan(start + comment.Length).IsWhiteSpace())
            return (source, null);
        var base64 = comment[(encoding + Encoded.Length)..].Trim();
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(base64.Length)];
        return Convert.TryFromBase64Chars(base64, bytes, out var length)
            ? (source[..start], Read(fileName, bytes.AsMemory(0, length)))
            : (source, null);
    }

    private static SourceMap? Read(string fileName, ReadOnlyMemory<byte> map)
    {
        try
        {
            using var json = JsonDocument.Parse(map);
            return new SourceMap(Compress(fileName, json.RootElement));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Keeps only the parts of a map that places need, without the texts of the sources, which are most of it.</summary>
    private static byte[] Compress(string fileName, JsonElement map)
    {
        var mappings = map.GetProperty("mappings"u8).GetString() ?? "";
        var sources = map.GetProperty("sources"u8);
        if (mappings.Length > MaxMappings || sources.GetArrayLength() > MaxSources)
            throw new InvalidDataException("The source map is too large.");
        var root = map.TryGetProperty("sourceRoot"u8, out var given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : "";
        using var compressed = new MemoryStream();
        using (var brotli = new BrotliStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        using (var writer = new Utf8JsonWriter(brotli))
        {
            writer.WriteStartObject();
            writer.WriteString("file"u8, fileName);
            writer.WriteStartArray("sources"u8);
            foreach (var source in sources.EnumerateArray())
                writer.WriteStringValue(Readable(root + source.GetString()));
            writer.WriteEndArray();
            writer.WriteString("mappings"u8, mappings);
            writer.WriteEndObject();
        }
        return compressed.ToArray();
    }

    /// <summary>Cleans a path for log lines: one line, without parts that lead out of the folder.</summary>
    private static string Readable(string path)
    {
        var rest = path.AsSpan();
        while (rest.StartsWith("../") || rest.StartsWith("./"))
            rest = rest[(rest.IndexOf('/') + 1)..];
        rest = rest[..Math.Min(rest.Length, 512)];
        var text = new StringBuilder(rest.Length);
        foreach (var c in rest)
            text.Append(char.IsControl(c) ? '?' : c);
        return text.ToString();
    }
}
