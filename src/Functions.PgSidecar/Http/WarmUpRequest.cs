using System.Net.Sockets;

namespace Functions.PgSidecar.Http;

/// <summary>
/// Sends one request to the sidecar itself, for a function that can't exist, before it reports that it serves. The server's first request
/// takes a hundred times longer than its second, and no caller should have to wait for it.
/// </summary>
internal static class WarmUpRequest
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    /// <summary>Sends the request to the first address that has a port, and ignores the response. Failures don't matter.</summary>
    public static async Task RunAsync(IEnumerable<string> addresses, CancellationToken cancellationToken)
    {
        var address = addresses
            .Select(static text => Uri.TryCreate(text, UriKind.Absolute, out var url) ? url : null)
            .FirstOrDefault(static url => url?.Port > 0);
        if (address is null)
            return;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(Timeout);
        try
        {
            using var client = new TcpClient();
            var host = address.Host is "0.0.0.0" or "[::]" or "localhost" ? "127.0.0.1" : address.Host.Trim('[', ']');
            await client.ConnectAsync(host, address.Port, timeout.Token);
            await using var stream = client.GetStream();
            await stream.WriteAsync(
                "POST /functions/v1/invoke/-/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"u8.ToArray(),
                timeout.Token
            );
            await stream.CopyToAsync(Stream.Null, timeout.Token);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            // Then the first caller waits a little.
        }
    }
}
