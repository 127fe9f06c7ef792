namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>What a response that redirects does (Fetch standard, <c>redirect</c> of RequestInit).</summary>
internal enum RedirectMode
{
    /// <summary>It is followed, each hop under the same rules as the first.</summary>
    Follow,

    /// <summary>It is the response.</summary>
    Manual,

    /// <summary>It is an error.</summary>
    Error,
}

/// <summary>A request that a function wants made.</summary>
internal sealed record OutboundRequest
{
    /// <summary>An absolute http or https URL without user and password.</summary>
    public required string Url { get; init; }

    /// <summary>The method. CONNECT, TRACE and TRACK are refused.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>The headers in order, a name once for each of its values. Those that are the connection's own are left out silently, as Fetch does.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The body; empty for none. Must stay as it is until the response is there: redirects send it again.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    public RedirectMode Redirect { get; init; }
}
