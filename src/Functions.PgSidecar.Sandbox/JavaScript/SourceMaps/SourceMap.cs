using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;

/// <summary>A place in a source: lines and columns count from 1.</summary>
internal readonly record struct SourcePlace(string File, int Line, int Column);

/// <summary>The source map of a bundle (ECMA-426). Decoded at its first use, which is rare.</summary>
/// <param name="compressed">Brotli of JSON <c>{"file","sources","mappings"}</c>.</param>
internal sealed class SourceMap(byte[] compressed)
{
    private readonly Lazy<Content> content = new(() => Unfold(compressed));

    /// <summary>The stored form of the map.</summary>
    public ReadOnlyMemory<byte> Compressed => compressed;

    /// <summary>Replaces places in the bundle by those in the author's files, in a text such as a stack.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public string? Translate(string? text)
    {
        if (text is null || !text.Contains(".js:", StringComparison.Ordinal))
            return text;
        var prefix = content.Value.File + ":";
        StringBuilder? translated = null;
        var copied = 0;
        for (var at = text.IndexOf(prefix, StringComparison.Ordinal); at >= 0; at = text.IndexOf(prefix, at + 1, StringComparison.Ordinal))
        {
            if (at > 0 && (char.IsLetterOrDigit(text[at - 1]) || text[at - 1] is '.' or '_' or '-' or '/'))
                continue;
            if (
                !TryReadPlace(text.AsSpan(at + prefix.Length), out var line, out var column, out var length)
                || Find(line, column) is not { } place
            )
                continue;
            translated ??= new StringBuilder(text.Length);
            translated.Append(text, copied, at - copied).Append(CultureInfo.InvariantCulture, $"{place.File}:{place.Line}:{place.Column}");
            copied = at + prefix.Length + length;
        }
        return translated is null ? text : translated.Append(text, copied, text.Length - copied).ToString();
    }

    /// <summary>
    /// Finds the place in the author's files of one in the bundle; <see langword="null"/> for code that the bundler generated.
    /// </summary>
    public SourcePlace? Find(int line, int column)
    {
        var (_, sources, lines) = content.Value;
        if (line < 1 || line > lines.Length || lines[line - 1] is not { Length: > 0 } segments)
            return null;
        var index = Array.BinarySearch(segments, new Segment(column - 1, 0, 0, 0));
        var segment = segments[Math.Max(0, index >= 0 ? index : ~index - 1)];
        return segment.Source >= 0 && segment.Source < sources.Length
            ? new SourcePlace(sources[segment.Source], segment.Line + 1, segment.Column + 1)
            : null;
    }

    /// <summary>Matches <c>12:34</c> at the start of a text.</summary>
    private static bool TryReadPlace(ReadOnlySpan<char> text, out int line, out int column, out int length)
    {
        (line, column, length) = (0, 0, 0);
        var colon = text.IndexOf(':');
        if (colon is < 1 or > 9)
            return false;
        var rest = text[(colon + 1)..];
        var digits = rest.IndexOfAnyExceptInRange('0', '9');
        var end = digits < 0 ? rest.Length : digits;
        if (end is < 1 or > 9 || !int.TryParse(text[..colon], NumberStyles.None, CultureInfo.InvariantCulture, out line))
            return false;
        column = int.Parse(rest[..end], NumberStyles.None, CultureInfo.InvariantCulture);
        length = colon + 1 + end;
        return true;
    }

    private static Content Unfold(byte[] compressed)
    {
        using var stream = new BrotliStream(new MemoryStream(compressed, writable: false), CompressionMode.Decompress);
        using var json = JsonDocument.Parse(stream);
        var root = json.RootElement;
        string[] sources = [.. root.GetProperty("sources"u8).EnumerateArray().Select(source => source.GetString() ?? "")];
        var mappings = Mappings.Read(root.GetProperty("mappings"u8).GetString() ?? "");
        return new Content(root.GetProperty("file"u8).GetString()!, sources, mappings);
    }

    private sealed record Content(string File, string[] Sources, Segment[][] Lines);
}
