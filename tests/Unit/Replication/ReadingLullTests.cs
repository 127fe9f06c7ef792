using System.Net;
using System.Net.Sockets;
using Functions.PgSidecar.Postgres.Replication;

namespace Functions.PgSidecar.Tests.Unit.Replication;

/// <summary>What comes in quick succession gathers before it is read, and nothing stays behind.</summary>
public sealed class ReadingLullTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Socket server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private Socket client = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "elsewhere nothing gathers");
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        await server.ConnectAsync(listener.LocalEndPoint!);
        client = await listener.AcceptAsync();
    }

    public ValueTask DisposeAsync()
    {
        server.Dispose();
        client?.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Whoever_waits_is_woken_when_enough_has_come_and_when_less_becomes_enough()
    {
        var buffer = new byte[1 << 17];
        var receiving = client.ReceiveAsync(buffer);
        ReplicationSocket.WakeFrom(client, 1 << 16);
        await server.SendAsync(new byte[100]);
        await Task.Delay(200);
        Assert.False(receiving.IsCompleted);
        ReplicationSocket.WakeFrom(client, 1);
        Assert.Equal(100, await receiving.WaitAsync(Patience));

        receiving = client.ReceiveAsync(buffer);
        ReplicationSocket.WakeFrom(client, 1 << 16);
        await server.SendAsync(new byte[1 << 16]);
        Assert.InRange(await receiving.WaitAsync(Patience), 1, 1 << 16);
    }

    [Fact]
    public async Task What_comes_in_quick_succession_gathers_and_all_of_it_arrives()
    {
        using var ending = new CancellationTokenSource();
        var lull = new ReadingLull(client, TimeProvider.System);
        var lulls = lull.RunAsync(ending.Token);
        var receiving = ReceiveAsync();
        var sending = SendAsync(lull, ending.Token);
        await IsHeldUpAsync();
        await ending.CancelAsync();
        var sent = await sending;
        server.Shutdown(SocketShutdown.Send);
        Assert.Equal(sent, await receiving.WaitAsync(Patience));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lulls);
        Assert.False(IsHeldUp());
    }

    [Fact]
    public async Task When_it_becomes_quiet_nothing_is_held_up_any_more()
    {
        using var ending = new CancellationTokenSource();
        var lull = new ReadingLull(client, TimeProvider.System);
        var lulls = lull.RunAsync(ending.Token);
        var receiving = ReceiveAsync();
        using (var quiet = new CancellationTokenSource())
        {
            var sending = SendAsync(lull, quiet.Token);
            await IsHeldUpAsync();
            await quiet.CancelAsync();
            await sending;
        }
        // For longer than there is between two lulls.
        var until = DateTime.UtcNow + Patience;
        for (var free = 0; free < 200; free = IsHeldUp() ? 0 : free + 1)
        {
            Assert.True(DateTime.UtcNow < until, "It is held up still.");
            await Task.Delay(1);
        }
        await ending.CancelAsync();
        server.Shutdown(SocketShutdown.Send);
        await receiving.WaitAsync(Patience);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lulls);
    }

    /// <summary>As quickly as it goes, as a busy server.</summary>
    private Task<long> SendAsync(ReadingLull lull, CancellationToken cancellationToken) => Task.Run(
        async () =>
        {
            var message = new byte[25];
            var sent = 0L;
            while (!cancellationToken.IsCancellationRequested)
            {
                sent += await server.SendAsync(message);
                lull.Count(endsTransaction: true);
            }
            return sent;
        },
        CancellationToken.None);

    private async Task<long> ReceiveAsync()
    {
        var buffer = new byte[1 << 16];
        var received = 0L;
        while (await client.ReceiveAsync(buffer) is > 0 and var length) received += length;
        return received;
    }

    private async Task IsHeldUpAsync()
    {
        var until = DateTime.UtcNow + Patience;
        while (!IsHeldUp())
        {
            Assert.True(DateTime.UtcNow < until, "Nothing was held up.");
            await Task.Delay(1);
        }
    }

    /// <summary>Whether less than much does not wake whoever waits: what SO_RCVLOWAT says.</summary>
    private bool IsHeldUp()
    {
        var bytes = new byte[sizeof(int)];
        client.GetRawSocketOption(1, 18, bytes);
        return BitConverter.ToInt32(bytes) > 1;
    }
}
