using System.Net;
using System.Net.Sockets;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>
/// Decides which addresses a connection may go to, after name resolution, on the very address that is then connected: a name that resolves
/// to a private address, at once or the second time (DNS rebinding), reaches nothing.
/// </summary>
/// <param name="allowed">Networks the operator opened although they are not public.</param>
internal sealed class AddressPolicy(IReadOnlyList<IPNetwork> allowed)
{
    /// <summary>
    /// What the IANA special-purpose registries call not globally reachable, multicast and reserved space, and what clouds answer
    /// machines' own questions at.
    /// </summary>
    private static readonly IPNetwork[] NotPublicV4 = Networks(
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32"); // Azure's host agent, on an address that looks public.

    /// <summary>
    /// All global unicast addresses of today; what lies outside is loopback, link-local, unique-local, multicast, IPv4-mapped, or
    /// NAT64 (64:ff9b::/96), which would carry a private IPv4 address past this check.
    /// </summary>
    private static readonly IPNetwork GlobalUnicastV6 = IPNetwork.Parse("2000::/3");

    /// <summary>Protocol assignments with Teredo among them, documentation, and 6to4, which embeds an IPv4 address.</summary>
    private static readonly IPNetwork[] NotPublicV6 = Networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");

    /// <summary>Whether a connection that is meant for <paramref name="host"/> may go to <paramref name="address"/>.</summary>
    /// <param name="host">The canonical host of the URL. A request gets here only when a pattern of its function matched it.</param>
    /// <param name="address">What the host resolved to.</param>
    public bool Permits(string host, IPAddress address)
    {
        // An address is reached only by a pattern that spells it out, so the operator of the function meant it.
        if (IPAddress.TryParse(host, out _))
            return true;
        if (HostPattern.IsLocalhostOrAddress(host))
            return IPAddress.IsLoopback(address);
        return IsPublic(address) || Contains(allowed, address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
    }

    /// <summary>Whether an address is one of the public Internet.</summary>
    public static bool IsPublic(IPAddress address) => address.AddressFamily switch
    {
        AddressFamily.InterNetwork => !Contains(NotPublicV4, address),
        AddressFamily.InterNetworkV6 => !address.IsIPv4MappedToIPv6 && address.ScopeId == 0 && GlobalUnicastV6.Contains(address) && !Contains(NotPublicV6, address),
        _ => false,
    };

    private static bool Contains(IReadOnlyList<IPNetwork> networks, IPAddress address)
    {
        foreach (var network in networks)
        {
            // .NET 10's IPNetwork takes an IPv4-mapped address for its four bytes even in an IPv6 network: ::ffff:1.1.1.1 "is" in fc00::/7.
            if (!address.IsIPv4MappedToIPv6 && network.Contains(address))
                return true;
        }

        return false;
    }

    private static IPNetwork[] Networks(params string[] texts) => [.. texts.Select(text => IPNetwork.Parse(text))];
}
