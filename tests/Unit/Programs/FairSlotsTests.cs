using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.Programs;

/// <summary>How functions share the host's computations.</summary>
public sealed class FairSlotsTests
{
    private readonly object greedy = new();
    private readonly object modest = new();

    [Fact]
    public async Task One_function_cannot_hold_all_slots()
    {
        var slots = new FairSlots(total: 2, perOwner: 1);
        await slots.EnterAsync(greedy, CancellationToken.None);
        var second = slots.EnterAsync(greedy, CancellationToken.None);
        Assert.False(second.IsCompleted);
        Assert.True(slots.EnterAsync(modest, CancellationToken.None).IsCompletedSuccessfully);
        slots.Leave(greedy);
        await second.WaitAsync(JavaScript.EngineFixture.Patience);
    }

    [Fact]
    public async Task Waiting_functions_take_turns_regardless_of_their_demand()
    {
        var slots = new FairSlots(total: 1, perOwner: 1);
        await slots.EnterAsync(greedy, CancellationToken.None);
        var many = Enumerable.Range(0, 100).Select(_ => slots.EnterAsync(greedy, CancellationToken.None)).ToList();
        var one = slots.EnterAsync(modest, CancellationToken.None);
        slots.Leave(greedy);
        await many[0].WaitAsync(JavaScript.EngineFixture.Patience);
        slots.Leave(greedy);
        await one.WaitAsync(JavaScript.EngineFixture.Patience);
        Assert.False(many[1].IsCompleted);
    }

    [Fact]
    public async Task Function_at_its_own_limit_does_not_block_the_next_one()
    {
        var slots = new FairSlots(total: 3, perOwner: 1);
        await slots.EnterAsync(greedy, CancellationToken.None);
        _ = slots.EnterAsync(greedy, CancellationToken.None);
        await slots.EnterAsync(modest, CancellationToken.None);
        var waits = slots.EnterAsync(modest, CancellationToken.None);
        slots.Leave(modest);
        await waits.WaitAsync(JavaScript.EngineFixture.Patience);
        Assert.Equal(2, slots.Running);
    }

    [Fact]
    public async Task Cancelled_waiter_never_gets_a_slot()
    {
        var slots = new FairSlots(total: 1, perOwner: 1);
        using var cancellation = new CancellationTokenSource();
        await slots.EnterAsync(greedy, CancellationToken.None);
        var waits = slots.EnterAsync(greedy, cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
        slots.Leave(greedy);
        Assert.Equal(0, slots.Running);
        Assert.True(slots.EnterAsync(modest, CancellationToken.None).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Concurrent_cancellation_and_release_lose_no_slot()
    {
        var slots = new FairSlots(total: 1, perOwner: 1);
        for (var i = 0; i < 500; i++)
        {
            using var cancellation = new CancellationTokenSource();
            await slots.EnterAsync(greedy, CancellationToken.None);
            var waits = slots.EnterAsync(modest, cancellation.Token);
            await Task.WhenAll(Task.Run(cancellation.Cancel), Task.Run(() => slots.Leave(greedy)));
            try
            {
                await waits;
                slots.Leave(modest);
            }
            catch (OperationCanceledException)
            {
                // Cancelled in time.
            }
            Assert.Equal(0, slots.Running);
        }
    }
}
