using System.Buffers;
using System.Collections.Frozen;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Filters the headers of a function's request, and of its response.</summary>
internal static class OutboundHeaders
{
    /// <summary>RFC 9110 section 5.6.2.</summary>
    private static readonly SearchValues<char> TokenCharacters = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    );

    private static readonly SearchValues<char> NeverInValues = SearchValues.Create("\0\r\n");

    /// <summary>
    /// The Fetch standard's forbidden request headers that concern the connection: a function that sets them could smuggle a second request
    /// into it, or reach another host than the one that was checked. Accept-Encoding is included because the sidecar decompresses.
    /// </summary>
    private static readonly FrozenSet<string> Forbidden = FrozenSet.ToFrozenSet(
        [
            "accept-encoding",
            "connection",
            "content-length",
            "expect",
            "host",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "via",
            "http2-settings",
        ],
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>Headers that a redirect to another origin must not carry.</summary>
    private static readonly FrozenSet<string> Credentials = FrozenSet.ToFrozenSet(
        ["authorization", "cookie"],
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>
    /// Headers that describe a body, and are removed when a redirect drops it (Fetch standard, request-body-header name).
    /// </summary>
    private static readonly FrozenSet<string> OfBody = FrozenSet.ToFrozenSet(
        ["content-encoding", "content-language", "content-location", "content-type"],
        StringComparer.OrdinalIgnoreCase
    );

    /// <summary>Whether a text is a token, as methods and header names must be.</summary>
    public static bool IsToken(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(TokenCharacters);

    /// <summary>Adds a function's headers to a request.</summary>
    /// <exception cref="SidecarException">PGFN5201: a name or a value is not valid in a header.</exception>
    public static void Apply(
        HttpRequestMessage message,
        IReadOnlyList<KeyValuePair<string, string>> headers,
        bool withCredentials,
        bool withBody
    )
    {
        foreach (var (name, value) in headers)
        {
            if (!IsToken(name))
                throw new SidecarException("PGFN5201", 400, "A header's name contains characters that are not allowed in names.");
            if (value.AsSpan().ContainsAny(NeverInValues) || value.AsSpan().ContainsAnyExceptInRange('\0', '\u00ff'))
                throw new SidecarException(
                    "PGFN5201",
                    400,
                    $"The value of the header '{name}' contains a line break, a NUL, or a character beyond U+00FF."
                );
            if (
                Forbidden.Contains(name)
                || name.StartsWith("proxy-", StringComparison.OrdinalIgnoreCase)
                || (!withCredentials && Credentials.Contains(name))
                || (!withBody && OfBody.Contains(name))
            )
                continue;
            // The framework keeps body headers separately and refuses them here; without a body they describe nothing.
            if (!message.Headers.TryAddWithoutValidation(name, value))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        message.Headers.TryAddIfAbsent("Accept", "*/*");
        message.Headers.TryAddIfAbsent("User-Agent", "Functions.PgSidecar");
    }

    /// <summary>All headers of a response, one entry per value.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Read(HttpResponseMessage response)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            foreach (var value in values)
                headers.Add(new(name, value));
        }

        return headers;
    }

    private static void TryAddIfAbsent(this System.Net.Http.Headers.HttpRequestHeaders headers, string name, string value)
    {
        if (!headers.NonValidated.Contains(name))
            headers.TryAddWithoutValidation(name, value);
    }
}
