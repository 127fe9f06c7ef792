using Functions.PgSidecar.Postgres.Sessions;

namespace Functions.PgSidecar.Tests.Unit.Sql;

public sealed class ConnectionGateTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public void Free_connection_is_granted_at_once()
    {
        var gate = new ConnectionGate(2, 2);
        Assert.True(Enter(gate, "f").IsCompletedSuccessfully);
        Assert.True(Enter(gate, "g").IsCompletedSuccessfully);
        Assert.False(Enter(gate, "g").IsCompleted);
        Assert.Equal((2, 1, 1), (gate.Used, gate.Held("f"), gate.Held("g")));
    }

    [Fact]
    public async Task Functions_take_turns_regardless_of_how_many_calls_one_has_waiting()
    {
        var gate = new ConnectionGate(1, 1);
        var share = await Enter(gate, "first");
        var order = new List<string>();
        var waiting = new List<Task>();
        foreach (var function in (string[])["hog", "hog", "hog", "hog", "a", "hog", "b", "a"])
            waiting.Add(PassAsync(gate, function, order));
        gate.Leave(share!);
        await Task.WhenAll(waiting);
        Assert.Equal(["hog", "a", "b", "hog", "a", "hog", "hog", "hog"], order);
    }

    [Fact]
    public async Task Function_at_its_limit_does_not_delay_others()
    {
        var gate = new ConnectionGate(3, 2);
        var first = await Enter(gate, "hog");
        await Enter(gate, "hog");
        var third = Enter(gate, "hog");
        Assert.False(third.IsCompleted);

        Assert.True(Enter(gate, "other").IsCompletedSuccessfully);
        gate.Leave(first!);
        Assert.Equal("hog", (await third)!.Function);
        Assert.Equal((3, 2), (gate.Used, gate.Held("hog")));
    }

    [Fact]
    public async Task Cancelled_call_takes_no_connection()
    {
        var gate = new ConnectionGate(1, 1);
        var share = await Enter(gate, "f");
        using var cancel = new CancellationTokenSource();
        var cancelled = gate.EnterAsync("f", Patience, TimeProvider.System, cancel.Token).AsTask();
        var late = gate.EnterAsync("g", TimeSpan.FromMilliseconds(1), TimeProvider.System, CancellationToken.None).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Null(await late);

        gate.Leave(share!);
        Assert.Equal(0, gate.Used);
        Assert.True(Enter(gate, "h").IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Cancellation_at_the_moment_of_the_grant_loses_no_connection()
    {
        for (var i = 0; i < 500; i++)
        {
            var gate = new ConnectionGate(1, 1);
            var share = (await Enter(gate, "f"))!;
            using var cancel = new CancellationTokenSource();
            var waiting = gate.EnterAsync("g", Patience, TimeProvider.System, cancel.Token).AsTask();
            await Task.WhenAll(Task.Run(() => gate.Leave(share)), Task.Run(cancel.Cancel));
            try
            {
                if (await waiting is { } granted)
                    gate.Leave(granted);
            }
            catch (OperationCanceledException) { }
            Assert.Equal(0, gate.Used);
        }
    }

    [Fact]
    public async Task Entries_of_functions_without_connections_are_removed()
    {
        var gate = new ConnectionGate(2, 2);
        for (var i = 0; i < 5000; i++)
            gate.Leave((await Enter(gate, $"f{i}"))!);
        Assert.Equal(0, gate.Used);
        Assert.True(gate.Remembered <= 1000);
    }

    private static Task<ConnectionGate.Share?> Enter(ConnectionGate gate, string function) =>
        gate.EnterAsync(function, Patience, TimeProvider.System, CancellationToken.None).AsTask();

    private static async Task PassAsync(ConnectionGate gate, string function, List<string> order)
    {
        var share = await Enter(gate, function);
        lock (order)
            order.Add(function);
        gate.Leave(share!);
    }
}
