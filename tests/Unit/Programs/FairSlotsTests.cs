using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Tests.Unit.Programs;

/// <summary>How the host's computations are shared out between functions.</summary>
public sealed class FairSlotsTests
{
    private readonly object greedy = new();
    private readonly object modest = new();

    [Fact]
    public async Task One_function_can_not_hold_all_slots()
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
    public async Task Functions_that_wait_take_turns_however_much_each_asks_for()
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
    public async Task A_function_at_its_own_limit_does_not_hold_up_the_next_one()
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
    public async Task What_is_cancelled_while_it_waits_never_gets_a_slot()
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
    public async Task Cancelling_and_leaving_at_the_same_moment_loses_no_slot()
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
                // Given up in time.
            }
            Assert.Equal(0, slots.Running);
        }
    }
}
