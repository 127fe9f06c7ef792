using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Functions.PgSidecar.Tests.Unit.Http;

/// <summary>A request as it arrived on the wire.</summary>
internal sealed record WireRequest(string Line, IReadOnlyList<string> Headers, byte[] Body)
{
    public string Method => Line.Split(' ')[0];

    public string Path => Line.Split(' ')[1];

    public string? Header(string name) =>
        Headers.FirstOrDefault(h => h.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
}

/// <summary>An HTTP server on a port of 127.0.0.1 that sends any bytes a test wants, one request per connection.</summary>
internal sealed class LoopbackServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Func<WireRequest, Stream, Task> answer;
    private readonly CancellationTokenSource stop = new();
    private readonly List<WireRequest> requests = [];
    private readonly Task accepting;

    public LoopbackServer(Func<WireRequest, Stream, Task> answer)
    {
        this.answer = answer;
        listener.Start();
        accepting = AcceptAsync();
    }

    public LoopbackServer(Func<WireRequest, string> answer)
        : this((request, stream) => stream.WriteAsync(Encoding.Latin1.GetBytes(answer(request))).AsTask()) { }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    public IReadOnlyList<WireRequest> Requests
    {
        get
        {
            lock (requests)
                return [.. requests];
        }
    }

    /// <summary>Cancelled when the server ends. Responses that never come wait for it.</summary>
    public CancellationToken Stopped => stop.Token;

    public static string Ok(string body = "", string headers = "") =>
        $"HTTP/1.1 200 OK\r\n{headers}Content-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}";

    public static string Redirect(int status, string location) =>
        $"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    public async ValueTask DisposeAsync()
    {
        if (stop.IsCancellationRequested)
            return;
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        listener.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true)
                serving.Add(ServeAsync(await listener.AcceptTcpClientAsync(stop.Token)));
        }
        catch (Exception e)
            when (e is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                if (await ReadAsync(stream) is not { } request)
                    return;
                lock (requests)
                    requests.Add(request);
                await answer(request, stream);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // The client closed the connection, as some tests want.
            }
        }
    }

    private async Task<WireRequest?> ReadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, stop.Token) == 0)
                return null;
            head.Append((char)one[0]);
        }

        var lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var request = new WireRequest(lines[0], lines[1..], []);
        var body = new byte[int.Parse(request.Header("Content-Length") ?? "0")];
        await stream.ReadExactlyAsync(body, stop.Token);
        return request with { Body = body };
    }
}
