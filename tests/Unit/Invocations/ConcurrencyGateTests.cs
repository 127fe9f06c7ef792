using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Tests.Unit.Invocations;

public sealed class ConcurrencyGateTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Invocations_enter_up_to_the_limit_and_the_next_one_waits()
    {
        var gate = new ConcurrencyGate(2, 10);
        Assert.True(await gate.EnterAsync(Patience, default));
        Assert.True(await gate.EnterAsync(Patience, default));
        var third = gate.EnterAsync(Patience, default).AsTask();
        var fourth = gate.EnterAsync(Patience, default).AsTask();
        Assert.False(third.IsCompleted);
        Assert.Equal((2, 2), (gate.Running, gate.Waiting));

        gate.Leave();
        Assert.True(await third);
        Assert.False(fourth.IsCompleted);
        gate.Leave();
        Assert.True(await fourth);
        Assert.Equal((2, 0), (gate.Running, gate.Waiting));
    }

    [Fact]
    public async Task A_full_queue_refuses_at_once()
    {
        var gate = new ConcurrencyGate(1, 1);
        Assert.True(await gate.EnterAsync(Patience, default));
        var waiting = gate.EnterAsync(Patience, default).AsTask();
        Assert.False(await gate.EnterAsync(Patience, default));
        gate.Leave();
        Assert.True(await waiting);
    }

    [Fact]
    public async Task Cancelled_waiter_takes_no_slot()
    {
        var gate = new ConcurrencyGate(1, 10);
        Assert.True(await gate.EnterAsync(Patience, default));
        using var impatience = new CancellationTokenSource();
        var quitter = gate.EnterAsync(Patience, impatience.Token).AsTask();
        var patient = gate.EnterAsync(Patience, default).AsTask();
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => quitter);

        gate.Leave();
        Assert.True(await patient);
        gate.Leave();
        Assert.Equal((0, 0), (gate.Running, gate.Waiting));
    }

    [Fact]
    public async Task Wait_beyond_the_timeout_is_refused()
    {
        var gate = new ConcurrencyGate(1, 10);
        Assert.True(await gate.EnterAsync(Patience, default));
        Assert.False(await gate.EnterAsync(TimeSpan.Zero, default));
        Assert.Equal(0, gate.Waiting);
    }

    [Fact]
    public async Task Raised_limit_admits_waiters_and_lowered_limit_applies_as_slots_are_released()
    {
        var gate = new ConcurrencyGate(1, 10);
        Assert.True(await gate.EnterAsync(Patience, default));
        var second = gate.EnterAsync(Patience, default).AsTask();
        gate.Resize(2, 10);
        Assert.True(await second);

        gate.Resize(1, 10);
        var third = gate.EnterAsync(Patience, default).AsTask();
        gate.Leave();
        Assert.False(third.IsCompleted);
        gate.Leave();
        Assert.True(await third);
    }

    [Fact]
    public async Task Limit_holds_under_contention()
    {
        var gate = new ConcurrencyGate(4, 10_000);
        var (running, most) = (0, 0);
        await Parallel.ForEachAsync(Enumerable.Range(0, 2_000), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (_, token) =>
        {
            Assert.True(await gate.EnterAsync(Patience, token));
            var now = Interlocked.Increment(ref running);
            InterlockedMax(ref most, now);
            await Task.Yield();
            Interlocked.Decrement(ref running);
            gate.Leave();
        });
        Assert.InRange(most, 1, 4);
        Assert.Equal((0, 0), (gate.Running, gate.Waiting));
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while (value > (seen = Volatile.Read(ref target)) && Interlocked.CompareExchange(ref target, value, seen) != seen) { }
    }
}
