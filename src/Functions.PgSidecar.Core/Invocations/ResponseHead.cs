using System.Text.Json;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>
/// Status and headers of a function's response: names and values that HTTP allows, without the headers that the server sets itself.
/// </summary>
/// <param name="Status">From 200 to 599.</param>
/// <param name="Single">Names with one value.</param>
/// <param name="Repeated">Names with several, in their order.</param>
internal sealed record ResponseHead(
    int Status,
    IReadOnlyDictionary<string, string> Single,
    IReadOnlyDictionary<string, List<string>> Repeated
)
{
    private static readonly Dictionary<string, List<string>> None = [];

    /// <summary>Reads a head.</summary>
    /// <param name="json"><c>{"status":200,"headers":[["name","value"]]}</c>, written by the guest and not trusted.</param>
    /// <returns>Null if it does not describe a response that HTTP can carry.</returns>
    public static ResponseHead? TryRead(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            using var document = JsonDocument.ParseValue(ref reader);
            var status = document.RootElement.GetProperty("status"u8).GetInt32();
            if (status is < 200 or > 599)
                return null;
            var single = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
            Dictionary<string, List<string>>? repeated = null;
            foreach (var header in document.RootElement.GetProperty("headers"u8).EnumerateArray())
            {
                var name = header[0].GetString()!;
                var value = header[1].GetString()!;
                if (IsServers(name))
                    continue;
                if (!IsToken(name) || !IsFieldValue(value))
                    return null;
                Add(name, value, single, ref repeated);
            }
            return new ResponseHead(status, single, repeated ?? None);
        }
        catch (Exception e)
            when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    /// <summary>Values of one name are collected: appended to each other one by one they would be copied each time.</summary>
    private static void Add(string name, string value, Dictionary<string, string> single, ref Dictionary<string, List<string>>? repeated)
    {
        if (repeated is not null && repeated.TryGetValue(name, out var values))
            values.Add(value);
        else if (single.Remove(name, out var first))
            (repeated ??= new(StringComparer.OrdinalIgnoreCase)).Add(name, [first, value]);
        else
            single.Add(name, value);
    }

    /// <summary>
    /// The server says these: how the message is framed, what is between it and the next hop (RFC 9110 section 7.6.1), and who answers when
    /// to which request. What a function says of them is dropped.
    /// </summary>
    private static bool IsServers(string name) =>
        name.Length <= 20
            && name.ToLowerInvariant()
                is "connection"
                    or "keep-alive"
                    or "transfer-encoding"
                    or "te"
                    or "upgrade"
                    or "trailer"
                    or "trailers"
                    or "content-length"
                    or "proxy-connection"
                    or "proxy-authenticate"
                    or "proxy-authorization"
                    or "date"
                    or "server"
                    or "x-request-id"
        || name.StartsWith("proxy-", StringComparison.OrdinalIgnoreCase);

    private static bool IsToken(string name)
    {
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && "!#$%&'*+-.^_`|~".IndexOf(c, StringComparison.Ordinal) < 0)
                return false;
        }
        return name.Length > 0;
    }

    private static bool IsFieldValue(string value)
    {
        foreach (var c in value)
        {
            if (c is '\r' or '\n' or '\0' || (c < ' ' && c != '\t') || c > 0xff)
                return false;
        }
        return true;
    }
}
