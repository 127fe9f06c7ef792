using System.Net;
using System.Net.Sockets;

namespace Functions.PgSidecar.Core.Bindings.Http;

/// <summary>Resolves a host's name; the system's resolver outside of tests.</summary>
internal delegate Task<IPAddress[]> HostResolver(string host, CancellationToken cancellationToken);

/// <summary>
/// Opens the connections of <see cref="OutboundHttp"/>. Resolution and the check happen here, inside the connect, and the socket is given the
/// checked address rather than the name, so there is no second resolution that could answer differently.
/// </summary>
/// <remarks>
/// Connections are pooled by scheme, host and port and shared by functions. That is safe because what is permitted depends on the host alone,
/// and whether a function may name that host was decided before.
/// </remarks>
internal sealed class GuardedConnector(AddressPolicy policy, HostResolver resolve)
{
    /// <summary>The connect callback of the handler.</summary>
    /// <exception cref="SidecarException">PGFN5204: not resolved, no permitted address, or not reached.</exception>
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

        throw new SidecarException("PGFN5204", 502, $"'{host}' port {context.DnsEndPoint.Port} could not be reached: {Reason(last!.SocketErrorCode)}.", last);
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

    /// <summary>One answer for names that do not exist and for those that lead inside: the difference would let a function list the names of the internal network.</summary>
    private static SidecarException NotReachable(string host, Exception? innerException) => new("PGFN5204", 502,
        $"'{host}' could not be resolved to a public address. A host that is not public is reached by its address (functions.allow_host with the address), or where the "
        + "operator adds its network to PGFN_HTTP_ALLOW_NETWORKS.", innerException);

    private static string Reason(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "the connection was refused",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "there is no route to it",
        SocketError.TimedOut => "it did not answer",
        _ => $"the connection failed ({error})",
    };
}
