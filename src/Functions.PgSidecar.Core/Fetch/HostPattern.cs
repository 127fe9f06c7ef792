using System.Net;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// One entry of a function's host list: <c>[scheme://]host[:port]</c>. The host is a name, <c>*.name</c> (any depth below it, but not the
/// name itself), an IP address, <c>localhost</c>, or <c>*</c> for every public name.
/// </summary>
/// <remarks>
/// Without a scheme, https is allowed. http is also allowed if the host is <c>localhost</c> or an address; otherwise a redirect could
/// remove the encryption. Without a port, the scheme's default port is allowed. Only an entry that states <c>localhost</c> or an address
/// matches it; a wildcard never does.
/// </remarks>
internal sealed class HostPattern
{
    /// <summary>
    /// Domains that do not exist in the public DNS (RFC 6761, 6762, 8375, and those that ICANN reserved or that networks use anyway).
    /// </summary>
    private static readonly string[] LocalDomains =
    [
        "localhost",
        "local",
        "localdomain",
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "home.arpa",
        "test",
    ];

    private readonly string? scheme;
    private readonly string host;
    private readonly bool isWildcard;
    private readonly int? port;

    private HostPattern(string? scheme, string host, bool isWildcard, int? port)
    {
        this.scheme = scheme;
        this.host = host;
        this.isWildcard = isWildcard;
        this.port = port;
    }

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="SidecarException">PGFN5210: the text is not a pattern.</exception>
    public static HostPattern Parse(string text) =>
        TryParse(text)
        ?? throw new SidecarException(
            "PGFN5210",
            500,
            "A host pattern is a name, *.name, an address, localhost or *, optionally with http:// or https:// before it and a port after "
                + "it: api.example.com, http://localhost:3000."
        );

    /// <summary>Whether the pattern matches a request to this URL.</summary>
    public bool Matches(Uri url)
    {
        var host = HostOf(url);
        var isLiteral = IsLocalhostOrAddress(host);
        var schemeMatches = scheme is null ? url.Scheme == Uri.UriSchemeHttps || isLiteral : url.Scheme == scheme;
        if (!schemeMatches || url.Port != (port ?? DefaultPort(url.Scheme)))
            return false;
        if (!isWildcard)
            return host == this.host;
        return !isLiteral
            && (this.host.Length == 0 || (host.Length > this.host.Length && host.EndsWith(this.host, StringComparison.Ordinal)));
    }

    /// <summary>
    /// Whether the pattern may lead to a host that is not public: <c>localhost</c>, a private address, a name of local networks only; or
    /// any name at all, if the operator allowed private networks for names.
    /// </summary>
    /// <param name="namesReachPrivateNetworks">Whether <c>PGFN_HTTP_ALLOW_NETWORKS</c> is set.</param>
    public bool MayLeadInside(bool namesReachPrivateNetworks)
    {
        if (!isWildcard && IPAddress.TryParse(host, out var address))
            return !AddressPolicy.IsPublic(address);
        if (namesReachPrivateNetworks)
            return true;
        var name = host.TrimStart('.');
        return name.Length > 0
            && (
                !name.Contains('.', StringComparison.Ordinal) && !isWildcard
                || LocalDomains.Any(domain => name == domain || name.EndsWith("." + domain, StringComparison.Ordinal))
            );
    }

    /// <summary>The host of a URL in canonical form for comparison: lower case, punycode, canonical addresses, no trailing dot.</summary>
    public static string HostOf(Uri url) => Canonical(url.IdnHost);

    /// <summary>Whether a URL's host has a canonical form: .NET accepts hosts in URLs that it later can't convert to punycode.</summary>
    public static bool HasHost(Uri url)
    {
        try
        {
            return HostOf(url).Length > 0;
        }
        catch (UriFormatException)
        {
            return false;
        }
    }

    /// <summary>
    /// Whether a canonical host is allowed only by its exact pattern. Only such hosts may lead to addresses that are not public.
    /// </summary>
    public static bool IsLocalhostOrAddress(string host) =>
        host == "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal) || IPAddress.TryParse(host, out _);

    /// <summary>The canonical form of a host from a URL or a socket.</summary>
    public static string Canonical(string host)
    {
        var bare = host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();
        return IPAddress.TryParse(bare, out var address) ? address.ToString() : bare;
    }

    /// <summary>Parses a pattern; null if the text is none.</summary>
    public static HostPattern? TryParse(string text)
    {
        string? scheme = null;
        var authority = text.Trim();
        var separator = authority.IndexOf("://", StringComparison.Ordinal);
        if (separator >= 0)
        {
            scheme = authority[..separator].ToLowerInvariant();
            if (scheme != Uri.UriSchemeHttp && scheme != Uri.UriSchemeHttps)
                return null;
            authority = authority[(separator + 3)..];
        }

        int? port = null;
        var colon = authority.LastIndexOf(':');
        if (colon >= 0 && !authority.EndsWith(']'))
        {
            if (!ushort.TryParse(authority.AsSpan(colon + 1), out var number) || number == 0)
                return null;
            port = number;
            authority = authority[..colon];
        }

        if (authority == "*")
            return new HostPattern(scheme, "", isWildcard: true, port);
        var isWildcard = authority.StartsWith("*.", StringComparison.Ordinal);
        if (NormalizeHost(isWildcard ? authority[2..] : authority) is not { } host || (isWildcard && IPAddress.TryParse(host, out _)))
            return null;
        return new HostPattern(scheme, isWildcard ? "." + host : host, isWildcard, port);
    }

    private static string? NormalizeHost(string host)
    {
        // Accept only a plain host, without a user, path, query or second port. DNS allows an underscore at the start of a label;
        // CheckHostName does not.
        if (
            Uri.CheckHostName(host.Replace('_', 'x')) == UriHostNameType.Unknown
            || !Uri.TryCreate($"https://{host}/", UriKind.Absolute, out var url)
            || !HasHost(url)
        )
            return null;
        return url.UserInfo.Length == 0 && url.PathAndQuery == "/" && url.IsDefaultPort ? HostOf(url) : null;
    }

    private static int DefaultPort(string scheme) => scheme == Uri.UriSchemeHttps ? 443 : 80;
}
