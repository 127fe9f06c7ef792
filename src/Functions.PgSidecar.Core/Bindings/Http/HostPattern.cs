using System.Net;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>
/// One entry of a function's list of hosts: <c>[scheme://]host[:port]</c>, the host a name, <c>*.name</c> (any depth below it, not the name itself),
/// an IP address, <c>localhost</c>, or <c>*</c> for every public name.
/// </summary>
/// <remarks>
/// Without a scheme https is meant; http too only where the host is <c>localhost</c> or an address, since anything else would let a redirect
/// strip the encryption. Without a port the scheme's own is meant. Only an entry that spells out <c>localhost</c> or an address reaches one:
/// a wildcard never does.
/// </remarks>
internal sealed class HostPattern
{
    /// <summary>Domains that the Internet's DNS does not have (RFC 6761, 6762, 8375 and what ICANN reserved or networks use all the same).</summary>
    private static readonly string[] LocalDomains =
        ["localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa", "test"];

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
    /// <exception cref="SidecarException">PGFN5210: not a pattern.</exception>
    public static HostPattern Parse(string text) =>
        TryParse(text) ?? throw new SidecarException("PGFN5210", 400,
            "A host pattern is a name, *.name, an address, localhost or *, with http:// or https:// before it and a port after it where they matter: api.example.com, http://localhost:3000.");

    /// <summary>Whether a request to this URL is meant.</summary>
    public bool Matches(Uri url)
    {
        var host = HostOf(url);
        var isLiteral = IsLocalhostOrAddress(host);
        var schemeMatches = scheme is null ? url.Scheme == Uri.UriSchemeHttps || isLiteral : url.Scheme == scheme;
        if (!schemeMatches || url.Port != (port ?? DefaultPort(url.Scheme)))
            return false;
        if (!isWildcard)
            return host == this.host;
        return !isLiteral && (this.host.Length == 0 || (host.Length > this.host.Length && host.EndsWith(this.host, StringComparison.Ordinal)));
    }

    /// <summary>
    /// Whether the pattern may lead to what is not public: <c>localhost</c>, an address that is not one of the public Internet, a name that only a local network
    /// has; and any name at all where the operator opened such networks to names.
    /// </summary>
    /// <param name="namesReachPrivateNetworks">Whether <c>PGFN_HTTP_ALLOW_NETWORKS</c> is set.</param>
    public bool MayLeadInside(bool namesReachPrivateNetworks)
    {
        if (!isWildcard && IPAddress.TryParse(host, out var address))
            return !AddressPolicy.IsPublic(address);
        if (namesReachPrivateNetworks)
            return true;
        var name = host.TrimStart('.');
        return name.Length > 0 && (!name.Contains('.', StringComparison.Ordinal) && !isWildcard || LocalDomains.Any(domain =>
            name == domain || name.EndsWith("." + domain, StringComparison.Ordinal)));
    }

    /// <summary>The host of a URL in the one spelling that is compared: lower case, punycode, addresses canonical, no dot at the end.</summary>
    public static string HostOf(Uri url) => Canonical(url.IdnHost);

    /// <summary>Whether a URL's host has that spelling: .NET takes hosts for URLs that it can't turn into punycode later.</summary>
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

    /// <summary>Whether a canonical host is what only its exact pattern allows. Such hosts, and no others, may lead to addresses that are not public.</summary>
    public static bool IsLocalhostOrAddress(string host) =>
        host == "localhost" || host.EndsWith(".localhost", StringComparison.Ordinal) || IPAddress.TryParse(host, out _);

    /// <summary>One spelling for a host as URLs and sockets give it.</summary>
    public static string Canonical(string host)
    {
        var bare = host.Trim('[', ']').TrimEnd('.').ToLowerInvariant();
        return IPAddress.TryParse(bare, out var address) ? address.ToString() : bare;
    }

    /// <summary>Reads a pattern; null where it is none.</summary>
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
        // Only what is a host and nothing else: no user, path, query, or second port may hide in it. DNS allows an underscore first; the check doesn't.
        if (Uri.CheckHostName(host.Replace('_', 'x')) == UriHostNameType.Unknown || !Uri.TryCreate($"https://{host}/", UriKind.Absolute, out var url) || !HasHost(url))
            return null;
        return url.UserInfo.Length == 0 && url.PathAndQuery == "/" && url.IsDefaultPort ? HostOf(url) : null;
    }

    private static int DefaultPort(string scheme) => scheme == Uri.UriSchemeHttps ? 443 : 80;
}
