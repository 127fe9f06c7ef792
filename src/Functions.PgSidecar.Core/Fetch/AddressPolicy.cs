using System.Net;
using System.Net.Sockets;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// Decides which addresses a connection may use, after name resolution, for the very address that is then connected: a name that resolves
/// to a private address, the first or the second time (DNS rebinding), is not connected.
/// </summary>
/// <param name="allowed">Networks that are not public, but that the operator allowed.</param>
internal sealed class AddressPolicy(IReadOnlyList<IPNetwork> allowed)
{
    /// <summary>
    /// Addresses that the IANA special-purpose registries list as not globally reachable, multicast and reserved addresses, and the
    /// addresses of cloud metadata services.
    /// </summary>
    private static readonly IPNetwork[] NotPublicV4 = Networks(
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32"
    ); // Azure's host agent, on an address that looks public.

    /// <summary>
    /// All global unicast addresses assigned today. Everything else is loopback, link-local, unique-local, multicast, IPv4-mapped, or NAT64
    /// (64:ff9b::/96), which could carry a private IPv4 address past this check.
    /// </summary>
    private static readonly IPNetwork GlobalUnicastV6 = IPNetwork.Parse("2000::/3");

    /// <summary>Protocol assignments, including Teredo; documentation; and 6to4, which embeds an IPv4 address.</summary>
    private static readonly IPNetwork[] NotPublicV6 = Networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20");

    /// <summary>Whether a connection for <paramref name="host"/> may use <paramref name="address"/>.</summary>
    /// <param name="host">The canonical host of the URL. A pattern of the function has already matched it.</param>
    /// <param name="address">The address that the host resolved to.</param>
    public bool Permits(string host, IPAddress address)
    {
        // An address is allowed only by a pattern that states it, so the function's owner intended it.
        if (IPAddress.TryParse(host, out _))
            return true;
        if (HostPattern.IsLocalhostOrAddress(host))
            return IPAddress.IsLoopback(address);
        return IsPublic(address) || Contains(allowed, address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
    }

    /// <summary>Whether an address is public.</summary>
    public static bool IsPublic(IPAddress address) =>
        address.AddressFamily switch
        {
            AddressFamily.InterNetwork => !Contains(NotPublicV4, address),
            AddressFamily.InterNetworkV6 => !address.IsIPv4MappedToIPv6
                && address.ScopeId == 0
                && GlobalUnicastV6.Contains(address)
                && !Contains(NotPublicV6, address),
            _ => false,
        };

    private static bool Contains(IReadOnlyList<IPNetwork> networks, IPAddress address)
    {
        foreach (var network in networks)
        {
            // In .NET 10, an IPv6 IPNetwork compares an IPv4-mapped address by its four bytes: ::ffff:1.1.1.1 "is" in fc00::/7.
            if (!address.IsIPv4MappedToIPv6 && network.Contains(address))
                return true;
        }

        return false;
    }

    private static IPNetwork[] Networks(params string[] texts) => [.. texts.Select(text => IPNetwork.Parse(text))];
}
