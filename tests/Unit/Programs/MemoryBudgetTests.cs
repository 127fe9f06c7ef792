using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Tests.Unit.JavaScript;

namespace Functions.PgSidecar.Tests.Unit.Programs;

/// <summary>The memory of all invocations together.</summary>
public sealed class MemoryBudgetTests
{
    private const long Mega = 1 << 20;

    private readonly MemoryBudget budget = new(100 * Mega);

    [Fact]
    public void It_is_never_exceeded_by_what_asks()
    {
        var shares = Enumerable.Range(0, 50).Select(_ => new MemoryShare(budget)).ToList();
        var granted = shares.Sum(share => Enumerable.Range(0, 10).Count(_ => share.TryGrow(Mega)));
        Assert.Equal(100, granted);
        Assert.Equal(100 * Mega, budget.Used);
        shares.ForEach(share => share.Shrink(0));
        Assert.Equal(0, budget.Used);
    }

    [Fact]
    public void Large_instances_leave_a_quarter_to_small_ones()
    {
        var large = new MemoryShare(budget);
        while (large.TryGrow(Mega)) { }
        Assert.True(large.WasRefused);
        Assert.InRange(budget.Used, 70 * Mega, 76 * Mega);
        var small = new MemoryShare(budget);
        Assert.True(small.TryGrow(10 * Mega));
        Assert.False(small.WasRefused);
    }

    [Fact]
    public void Idle_memory_is_given_up_before_anything_is_refused()
    {
        var idle = new Idle(budget, 60 * Mega);
        budget.Register(idle);
        var share = new MemoryShare(budget);
        Assert.True(share.TryGrow(70 * Mega));
        Assert.True(idle.IsDropped);
        Assert.Equal(70 * Mega, budget.Used);
    }

    [Fact]
    public async Task Admission_waits_while_memory_is_short_and_goes_on_when_some_is_given_back()
    {
        budget.Take(99 * Mega);
        var waits = budget.WaitForMemoryAsync(EngineFixture.Patience, CancellationToken.None).AsTask();
        Assert.False(waits.IsCompleted);
        budget.Return(50 * Mega);
        Assert.True(await waits.WaitAsync(EngineFixture.Patience));
    }

    [Fact]
    public async Task Admission_gives_up_when_its_patience_ends()
    {
        budget.Take(99 * Mega);
        Assert.False(await budget.WaitForMemoryAsync(TimeSpan.FromMilliseconds(1), CancellationToken.None));
    }

    [Fact]
    public async Task A_caller_that_goes_away_ends_the_wait()
    {
        budget.Take(99 * Mega);
        using var abandon = new CancellationTokenSource();
        var waits = budget.WaitForMemoryAsync(EngineFixture.Patience, abandon.Token).AsTask();
        await abandon.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waits);
    }

    [Fact]
    public void What_is_compiled_is_counted_and_never_refused()
    {
        var share = new MemoryShare(budget, isUnconditional: true);
        Assert.True(share.TryGrow(200 * Mega));
        Assert.Equal(200 * Mega, budget.Used);
    }

    private sealed class Idle : IIdleMemory
    {
        private readonly MemoryBudget budget;
        private readonly long bytes;

        public Idle(MemoryBudget budget, long bytes)
        {
            (this.budget, this.bytes) = (budget, bytes);
            budget.Take(bytes);
        }

        public bool IsDropped { get; private set; }

        public void DropIdle()
        {
            if (IsDropped)
                return;
            IsDropped = true;
            budget.Return(bytes);
        }
    }
}
