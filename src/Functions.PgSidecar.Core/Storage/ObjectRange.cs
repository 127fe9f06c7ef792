using System.Globalization;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>A part of an object's bytes.</summary>
internal readonly record struct ObjectRange(long Offset, long Length)
{
    /// <summary>All bytes.</summary>
    public static ObjectRange All(long size) => new(0, size);

    /// <summary>A range by offset and length, or by the number of last bytes.</summary>
    /// <exception cref="SidecarException">PGFN5807: the object has no such bytes.</exception>
    public static ObjectRange Of(long size, long? offset, long? length, long? suffix)
    {
        if (suffix is { } last)
            (offset, length) = (size - Math.Min(last, size), Math.Min(last, size));
        var start = offset ?? 0;
        var count = Math.Min(length ?? long.MaxValue, size - start);
        return start < 0 || start > size || count <= 0 ? throw StorageErrors.NotSatisfiable() : new ObjectRange(start, count);
    }

    /// <summary>
    /// A range by the header of HTTP (RFC 9110, 14.2). Null if the header asks for several ranges or is malformed: then all bytes are the
    /// answer, which the standard allows.
    /// </summary>
    /// <exception cref="SidecarException">PGFN5807: the object has no such bytes.</exception>
    public static ObjectRange? OfHeader(long size, string header)
    {
        var text = header.AsSpan().Trim();
        if (!text.StartsWith("bytes", StringComparison.OrdinalIgnoreCase))
            return null;
        text = text["bytes".Length..].TrimStart();
        if (text is not ['=', ..] || text.Contains(','))
            return null;
        text = text[1..].Trim();
        var dash = text.IndexOf('-');
        if (dash < 0)
            return null;
        var first = text[..dash].Trim();
        var last = text[(dash + 1)..].Trim();
        if (first.IsEmpty)
            return TryParse(last, out var suffix) ? Of(size, null, null, suffix) : null;
        if (!TryParse(first, out var start))
            return null;
        if (last.IsEmpty)
            return start < size ? new ObjectRange(start, size - start) : throw StorageErrors.NotSatisfiable();
        if (!TryParse(last, out var end) || end < start)
            return null;
        return start < size ? new ObjectRange(start, Math.Min(end, size - 1) - start + 1) : throw StorageErrors.NotSatisfiable();
    }

    private static bool TryParse(ReadOnlySpan<char> digits, out long value) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
