using System.Net.Sockets;

namespace Functions.PgSidecar.Http;

/// <summary>
/// One request of the sidecar to itself, for a function that can't exist, before it says that it serves: the server's first request
/// takes a hundred times longer than its second, and no caller should be the one who waits.
/// </summary>
internal static class Rehearsal
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Sends it to the first address that has a port, and forgets the answer. Failures don't matter.</summary>
    public static async Task RunAsync(IEnumerable<string> addresses, CancellationToken cancellationToken)
    {
        var address = addresses.Select(static text => Uri.TryCreate(text, UriKind.Absolute, out var url) ? url : null).FirstOrDefault(static url => url?.Port > 0);
        if (address is null)
            return;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            using var client = new TcpClient();
            var host = address.Host is "0.0.0.0" or "[::]" or "localhost" ? "127.0.0.1" : address.Host.Trim('[', ']');
            await client.ConnectAsync(host, address.Port, patience.Token);
            await using var stream = client.GetStream();
            await stream.WriteAsync("POST /functions/v1/invoke/-/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"u8.ToArray(), patience.Token);
            await stream.CopyToAsync(Stream.Null, patience.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            // The first caller waits a little, then.
        }
    }
}
