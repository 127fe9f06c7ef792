using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A TCP proxy that can stop forwarding while its connections stay open, as when a network cable is unplugged.</summary>
internal sealed class FrozenProxy : IAsyncDisposable
{
    private readonly TcpListener listener;
    private readonly CancellationTokenSource ending = new();
    private readonly Task accepting;
    private (string Host, int Port) target;
    private readonly ConcurrentBag<Line> replicating = [];
    private TaskCompletionSource flowing = Open();

    public FrozenProxy(string host, int port, IPAddress? address = null)
    {
        listener = new TcpListener(address ?? IPAddress.Loopback, 0);
        target = (host, port);
        listener.Start();
        accepting = AcceptAsync();
    }

    /// <summary>The port it listens on, on 127.0.0.1 by default.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Forwards new connections to another server.</summary>
    public void Redirect(string host, int port) => target = (host, port);

    /// <summary>Stops forwarding in both directions.</summary>
    public void Freeze() => Volatile.Write(ref flowing, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Stops forwarding the existing replication connections, including their close. All others continue.</summary>
    public void FreezeReplication()
    {
        foreach (var line in replicating)
            line.Flowing = new TaskCompletionSource();
    }

    /// <summary>Forwards the data held by <see cref="Freeze"/>.</summary>
    public void Thaw() => Volatile.Read(ref flowing).TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        Thaw();
        listener.Stop();
        await accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
                connections.Add(ServeAsync(await listener.AcceptTcpClientAsync(ending.Token)));
        }
        finally
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(TcpClient accepted)
    {
        using var client = accepted;
        using var server = new TcpClient();
        try
        {
            await server.ConnectAsync(target.Host, target.Port, ending.Token);
            var line = new Line();
            await Task.WhenAny(
                ForwardAsync(client.GetStream(), server.GetStream(), line),
                ForwardAsync(server.GetStream(), client.GetStream(), line)
            );
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The server is unavailable, or the test has ended.
        }
    }

    private async Task ForwardAsync(NetworkStream from, NetworkStream to, Line line)
    {
        var buffer = new byte[1 << 16];
        try
        {
            int count;
            do
            {
                count = await from.ReadAsync(buffer, ending.Token);
                // A client requests replication in its first message.
                if (!line.Replicates && buffer.AsSpan(0, count).IndexOf("\0replication\0database\0"u8) >= 0)
                {
                    line.Replicates = true;
                    replicating.Add(line);
                }
                await Volatile.Read(ref flowing).Task.WaitAsync(ending.Token);
                await line.Flowing.Task.WaitAsync(ending.Token);
                await to.WriteAsync(buffer.AsMemory(0, count), ending.Token);
            } while (count > 0);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // One end has closed: close the other one.
        }
    }

    private static TaskCompletionSource Open()
    {
        var open = new TaskCompletionSource();
        open.SetResult();
        return open;
    }

    private sealed class Line
    {
        public volatile bool Replicates;
        public volatile TaskCompletionSource Flowing = Open();
    }
}
