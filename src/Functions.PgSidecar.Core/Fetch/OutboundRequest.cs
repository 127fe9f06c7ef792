namespace Functions.PgSidecar.Core.Fetch;

/// <summary>How a redirect is handled (Fetch standard, <c>redirect</c> of RequestInit).</summary>
internal enum RedirectMode
{
    /// <summary>The redirect is followed; each hop obeys the same rules as the first request.</summary>
    Follow,

    /// <summary>The redirect is returned as the response.</summary>
    Manual,

    /// <summary>A redirect is an error.</summary>
    Error,
}

/// <summary>A request of a function.</summary>
internal sealed record OutboundRequest
{
    /// <summary>An absolute http or https URL without user and password.</summary>
    public required string Url { get; init; }

    /// <summary>The method. CONNECT, TRACE and TRACK are refused.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>
    /// The headers in order, one entry per value. Headers that belong to the connection are dropped silently, as Fetch does.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>
    /// The body; empty if there is none. Must not change until the response has arrived, because redirects send it again.
    /// </summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    public RedirectMode Redirect { get; init; }
}
