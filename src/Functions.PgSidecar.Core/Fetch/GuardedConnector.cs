using System.Net;
using System.Net.Sockets;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>Resolves a host name; outside of tests, the system's resolver.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancellationToken);

/// <summary>
/// Opens the connections of <see cref="OutboundHttp"/>. Name resolution and the check both happen here, inside the connect, and the socket
/// connects to the checked address instead of the name, so that no second resolution could answer differently.
/// </summary>
/// <remarks>
/// Connections are pooled by scheme, host and port, and shared by functions. That is safe because the address policy depends on the host
/// alone, and whether a function may use that host was decided before.
/// </remarks>
internal sealed class GuardedConnector(AddressPolicy policy, HostResolver resolve)
{
    /// <summary>The connect callback of the handler.</summary>
    /// <exception cref="SidecarException">PGFN5204: the name was not resolved, has no permitted address, or can't be reached.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = HostPattern.Canonical(context.DnsEndPoint.Host);
        var addresses = await ResolveAsync(host, cancellationToken);
        var permitted = addresses.Where(address => policy.Permits(host, address)).ToArray();
        if (permitted.Length == 0)
        {
            throw NotReachable(host, innerException: null);
        }

        SocketException? last = null;
        foreach (var address in permitted)
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, context.DnsEndPoint.Port), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw new SidecarException(
            "PGFN5204",
            502,
            $"'{host}' port {context.DnsEndPoint.Port} could not be reached: {Reason(last!.SocketErrorCode)}.",
            last
        );
    }

    private async Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(host, out var literal))
            return [literal];
        try
        {
            return await resolve(host, cancellationToken);
        }
        catch (SocketException e)
        {
            throw NotReachable(host, e);
        }
    }

    /// <summary>
    /// One error for names that do not exist and for names with private addresses: a difference would let a function list the names of the
    /// internal network.
    /// </summary>
    private static SidecarException NotReachable(string host, Exception? innerException) =>
        new(
            "PGFN5204",
            502,
            $"'{host}' could not be resolved to a public address. To reach a host that is not public, allow its address (functions.allow_host "
                + "with the address), or let the "
                + "operator add its network to PGFN_HTTP_ALLOW_NETWORKS.",
            innerException
        );

    private static string Reason(SocketError error) =>
        error switch
        {
            SocketError.ConnectionRefused => "the connection was refused",
            SocketError.HostUnreachable or SocketError.NetworkUnreachable => "no route to it exists",
            SocketError.TimedOut => "it did not answer",
            _ => $"the connection failed ({error})",
        };
}
