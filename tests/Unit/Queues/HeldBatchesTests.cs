using Functions.PgSidecar.Core.Queues;

namespace Functions.PgSidecar.Tests.Unit.Queues;

/// <summary>How many batches are claimed, which of them run, and what is left when the consumer stops.</summary>
public sealed class HeldBatchesTests
{
    private readonly ManualTime time = new(DateTimeOffset.UnixEpoch);
    private readonly List<QueueBatch> started = [];
    private readonly QueueSlots slots = new(4);
    private readonly HeldBatches held;
    private int woken;
    private int ended;

    public HeldBatchesTests() => held = new HeldBatches(slots, started.Add, () => woken++, time);

    [Fact]
    public void First_claim_takes_what_can_start_at_once()
    {
        Assert.Equal((4, 4), Plan());
        held.Start(Batches(2), 4);
        Assert.Equal(2, started.Count);
        Assert.Equal(2, slots.Take(4)); // what the claim did not need was given back
    }

    [Fact]
    public void Batches_are_claimed_ahead_as_fast_as_they_ended()
    {
        Fill();
        End(2);
        time.Advance(TimeSpan.FromMilliseconds(10));
        // 2 in 10 ms are 10 in 50 ms.
        Assert.Equal((12, 2), Plan());
        held.Start(Batches(12), 2);
        Assert.Equal(6, started.Count);
        End(1);
        Assert.Equal(7, started.Count); // one of those that were claimed ahead
        Assert.Equal(13, held.Leases.Length);
    }

    [Fact]
    public void Slow_function_holds_no_messages_that_it_does_not_work_on()
    {
        Fill();
        End(1);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal((1, 1), Plan());
    }

    [Fact]
    public void Nothing_is_claimed_ahead_where_the_consumer_has_a_concurrency()
    {
        Fill();
        End(2);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal((2, 2), held.Plan(4, 100, mayClaimAhead: false));
    }

    [Fact]
    public void Nothing_is_claimed_while_other_queues_have_all_slots()
    {
        Assert.Equal(4, slots.Take(4));
        Assert.Equal((0, 0), Plan());
        Assert.True(slots.GiveBack(4)); // and it is woken afterwards
        Assert.Equal((4, 4), Plan());
    }

    [Fact]
    public void Queue_that_wants_slots_gets_them_before_batches_that_were_claimed_ahead()
    {
        Fill();
        End(2);
        time.Advance(TimeSpan.FromMilliseconds(1));
        held.Start(Batches(Plan().Batches), 2);
        Assert.Equal(0, slots.Take(1));
        End(1);
        Assert.Equal(1, woken);
        Assert.Equal(1, slots.Take(1));
    }

    [Fact]
    public void While_outcomes_are_not_recorded_no_more_than_a_thousand_are_leased()
    {
        var most = 0;
        for (var round = 0; round < 2000; round++)
        {
            time.Advance(TimeSpan.FromMilliseconds(1));
            var (batches, taken) = Plan();
            held.Start(Batches(batches), taken);
            while (started.Count > 0)
            {
                started.RemoveAt(0);
                held.Delivered();
            }
            most = Math.Max(most, held.Leases.Length);
        }
        Assert.Equal(1000, most);
    }

    [Fact]
    public void What_waits_is_handed_over_at_the_stop_and_starts_no_more()
    {
        Fill();
        End(2);
        time.Advance(TimeSpan.FromMilliseconds(10));
        held.Start(Batches(Plan().Batches), 2);
        var running = started.Count;
        var waiting = held.TakeWaiting();
        Assert.Equal(10, waiting.Count);
        End(1);
        Assert.Equal(running, started.Count);
        foreach (var batch in waiting.Concat(started))
            held.Recorded(batch);
        Assert.True(held.IsEmpty);
    }

    private (int Batches, int Slots) Plan() => held.Plan(4, 100, mayClaimAhead: true);

    private void Fill()
    {
        time.Advance(TimeSpan.FromMilliseconds(1));
        held.Start(Batches(Plan().Batches), 4);
        Assert.Equal(4, started.Count);
    }

    /// <summary>Deliveries end, and their outcomes are recorded.</summary>
    private void End(int count)
    {
        for (var i = 0; i < count; i++)
        {
            held.Recorded(started[ended++]);
            held.Delivered();
        }
    }

    private static QueueBatch[] Batches(int count) =>
        [.. Enumerable.Range(0, count).Select(_ => new QueueBatch(Guid.NewGuid(), Guid.NewGuid(), "q", []))];
}
