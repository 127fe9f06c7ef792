using System.Buffers.Text;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;

/// <summary>A deployed source, taken apart: the code, and the source map that its bundler put into its last line.</summary>
internal static class SourceText
{
    private const string Comment = "//# sourceMappingURL=data:application/json";
    private const string Encoded = ";base64,";

    /// <summary>Maps beyond are left out: places are then those of the bundle.</summary>
    private const int MaxMappings = 8 << 20;

    private const int MaxSources = 20_000;

    /// <summary>The code without the map, which would only take room in the guest's memory, and the map where there is one that can be read.</summary>
    public static (string Code, SourceMap? Map) Split(string fileName, string source)
    {
        var start = source.LastIndexOf(Comment, StringComparison.Ordinal);
        if (start < 0)
            return (source, null);
        var end = source.AsSpan(start).IndexOfAny('\r', '\n');
        var comment = source.AsSpan(start, end < 0 ? source.Length - start : end);
        var encoding = comment.IndexOf(Encoded, StringComparison.Ordinal);
        // Only a line of its own that ends the source is its map: anywhere else the words may be in a string.
        if (encoding < 0 || (start > 0 && source[start - 1] is not ('\n' or '\r')) || !source.AsSpan(start + comment.Length).IsWhiteSpace())
            return (source, null);
        var base64 = comment[(encoding + Encoded.Length)..].Trim();
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(base64.Length)];
        return Convert.TryFromBase64Chars(base64, bytes, out var length) ? (source[..start], Read(fileName, bytes.AsMemory(0, length))) : (source, null);
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

    /// <summary>Keeps of a map what places take: not the sources' texts, which are most of it.</summary>
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

    /// <summary>A path as it stands in a log line: without what leads out of the folder, and in one line.</summary>
    private static string Readable(string path)
    {
        while (path.StartsWith("../", StringComparison.Ordinal) || path.StartsWith("./", StringComparison.Ordinal))
            path = path[(path.IndexOf('/', StringComparison.Ordinal) + 1)..];
        var text = new StringBuilder(path.Length);
        foreach (var c in path.AsSpan(0, Math.Min(path.Length, 512)))
            text.Append(char.IsControl(c) ? '?' : c);
        return text.ToString();
    }
}
