using System.Text;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>Headers, in the order in which they were added. Names are in lower case, values are bytes.</summary>
internal sealed class HttpFields
{
    /// <summary>The most bytes of names and values together. Reading a value takes 32 times as much in Wasmtime's C API.</summary>
    private const int MaxBytes = 64 * 1024;

    /// <summary>What a header costs besides its characters, so that empty ones are limited too.</summary>
    private const int EntryBytes = 32;

    /// <summary>Headers of the connection, which the sidecar itself sets.</summary>
    private static readonly HashSet<string> Forbidden =
    [
        "connection",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];

    private readonly List<(string Name, byte[] Value)> entries = [];
    private int length;

    /// <summary>Whether nothing can be changed any more: they belong to a request or a response.</summary>
    public bool IsImmutable { get; set; }

    public IReadOnlyList<(string Name, byte[] Value)> Entries => entries;

    /// <summary>Reads headers as pairs of texts, whose characters are bytes.</summary>
    public static HttpFields Of(IEnumerable<(string Name, string Value)> pairs)
    {
        var fields = new HttpFields { IsImmutable = true };
        foreach (var (name, value) in pairs)
        {
            var entry = (name.ToLowerInvariant(), Encoding.Latin1.GetBytes(value));
            fields.entries.Add(entry);
            fields.length += Cost(entry);
        }
        return fields;
    }

    /// <summary>The bytes of names and values, and a part for each header.</summary>
    public int Length => length;

    public HttpFields Clone()
    {
        var copy = new HttpFields();
        copy.entries.AddRange(entries);
        copy.length = length;
        return copy;
    }

    public IEnumerable<byte[]> ValuesOf(string name)
    {
        var lower = name.ToLowerInvariant();
        return entries.Where(entry => entry.Name == lower).Select(static entry => entry.Value);
    }

    /// <summary>Removes a header.</summary>
    /// <returns>The error's name in <c>header-error</c>; <see langword="null"/> for none.</returns>
    public string? Delete(string name)
    {
        if (Check(name) is { } error)
            return error;
        var lower = name.ToLowerInvariant();
        length -= entries.Where(entry => entry.Name == lower).Sum(Cost);
        entries.RemoveAll(entry => entry.Name == lower);
        return null;
    }

    /// <summary>Adds a header.</summary>
    /// <returns>The error's name in <c>header-error</c>; <see langword="null"/> for none.</returns>
    /// <exception cref="GuestException">The headers are too long.</exception>
    public string? Append(string name, byte[] value)
    {
        if (Check(name) is { } error)
            return error;
        if (value.AsSpan().IndexOfAny("\r\n\0"u8) >= 0)
            return "invalid-syntax";
        var entry = (name.ToLowerInvariant(), value);
        length += Cost(entry);
        if (length > MaxBytes)
            throw new GuestException(new GuestError("RangeError", $"Headers may have {MaxBytes >> 10} KB together.", Code: "ABI"));
        entries.Add(entry);
        return null;
    }

    private static int Cost((string Name, byte[] Value) entry) => entry.Name.Length + entry.Value.Length + EntryBytes;

    private string? Check(string name) =>
        IsImmutable ? "immutable"
        : name.Length == 0 || !name.All(IsTokenCharacter) ? "invalid-syntax"
        : Forbidden.Contains(name.ToLowerInvariant()) ? "forbidden"
        : null;

    private static bool IsTokenCharacter(char character) =>
        char.IsAsciiLetterOrDigit(character) || "!#$%&'*+-.^_`|~".Contains(character, StringComparison.Ordinal);
}
