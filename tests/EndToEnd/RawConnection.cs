using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>A TCP connection to the sidecar, for requests that no HTTP client sends.</summary>
internal sealed class RawConnection : IAsyncDisposable
{
    private static readonly TimeSpan WaitTimeout = TimeSpan.FromSeconds(90);

    private readonly TcpClient client;
    private readonly NetworkStream stream;

    private RawConnection(TcpClient client)
    {
        this.client = client;
        stream = client.GetStream();
    }

    public static async Task<RawConnection> OpenAsync(Uri url)
    {
        var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync(url.Host, url.Port);
        return new RawConnection(client);
    }

    /// <summary>The head of a request to a function, up to the empty line, with a token.</summary>
    public static string Head(string method, string function, string version = "1.1", params string[] headers)
    {
        string[] lines =
        [
            $"{method} /functions/v1/invoke/{function} HTTP/{version}",
            "Host: x",
            "Authorization: Bearer " + Tokens.For("authenticated"),
            .. headers,
        ];
        return string.Join("\r\n", lines) + "\r\n\r\n";
    }

    public Task SendAsync(string text) => stream.WriteAsync(Encoding.Latin1.GetBytes(text)).AsTask();

    /// <summary>The next response: its status, headers in lower case and body. <see langword="null"/> where the peer has closed.</summary>
    public async Task<(int Status, ILookup<string, string> Headers, string Body)?> ReceiveAsync(bool hasBody = true)
    {
        var lines = new List<string>();
        while (await ReadLineAsync() is { } line && (line.Length > 0 || lines.Count == 0))
            lines.Add(line);
        if (lines.Count == 0)
            return null;
        var headers = lines.Skip(1).Select(line => line.Split(": ", 2)).ToLookup(pair => pair[0].ToLowerInvariant(), pair => pair[1]);
        var length =
            hasBody && headers.Contains("content-length") ? int.Parse(headers["content-length"].Single(), CultureInfo.InvariantCulture) : 0;
        var body = new byte[length];
        await stream.ReadExactlyAsync(body).AsTask().WaitAsync(WaitTimeout);
        return (int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture), headers, Encoding.UTF8.GetString(body));
    }

    /// <summary>The next chunk of a chunked body; empty at its end.</summary>
    public async Task<string> ReceiveChunkAsync()
    {
        var length = int.Parse((await ReadLineAsync())!, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var chunk = new byte[length];
        await stream.ReadExactlyAsync(chunk).AsTask().WaitAsync(WaitTimeout);
        await ReadLineAsync();
        return Encoding.UTF8.GetString(chunk);
    }

    /// <summary>Whether the peer has closed the connection, without another byte.</summary>
    public async Task<bool> IsClosedAsync() => await ReadByteAsync() < 0;

    /// <summary>Ends the connection as a crashed client does: with a reset.</summary>
    public void Reset()
    {
        client.Client.LingerState = new LingerOption(true, 0);
        client.Close();
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<string?> ReadLineAsync()
    {
        var line = new StringBuilder();
        for (var next = await ReadByteAsync(); next != '\n'; next = await ReadByteAsync())
        {
            if (next < 0)
                return null;
            if (next != '\r')
                line.Append((char)next);
        }
        return line.ToString();
    }

    private async Task<int> ReadByteAsync()
    {
        var one = new byte[1];
        try
        {
            return await stream.ReadAsync(one).AsTask().WaitAsync(WaitTimeout) == 0 ? -1 : one[0];
        }
        catch (IOException)
        {
            return -1;
        }
    }
}
