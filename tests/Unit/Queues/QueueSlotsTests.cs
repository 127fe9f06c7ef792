using Functions.PgSidecar.Core.Queues;

namespace Functions.PgSidecar.Tests.Unit.Queues;

/// <summary>Slots are shared by queues, and who found none is woken.</summary>
public sealed class QueueSlotsTests
{
    [Fact]
    public void Idle_queue_that_takes_all_slots_and_gives_them_back_wakes_nobody()
    {
        var slots = new QueueSlots(64);
        Assert.Equal(64, slots.Take(64));
        Assert.False(slots.GiveBack(64));
        Assert.Equal(64, slots.Take(1000));
        Assert.False(slots.GiveBack(1));
    }

    [Fact]
    public void Queue_that_found_no_slot_is_woken_once()
    {
        var slots = new QueueSlots(2);
        Assert.Equal(2, slots.Take(2));
        Assert.Equal(0, slots.Take(1));
        Assert.True(slots.GiveBack(1));
        Assert.False(slots.GiveBack(1));
        Assert.Equal(2, slots.Take(3));
    }

    [Fact]
    public async Task Capacity_is_never_exceeded_and_never_lost()
    {
        var slots = new QueueSlots(3);
        var used = 0;
        var most = 0;
        await Task.WhenAll(
            Enumerable
                .Range(0, 4)
                .Select(_ =>
                    Task.Run(() =>
                    {
                        for (var i = 0; i < 20_000; i++)
                        {
                            var taken = slots.Take(2);
                            InterlockedMax(ref most, Interlocked.Add(ref used, taken));
                            Interlocked.Add(ref used, -taken);
                            if (taken > 0)
                                slots.GiveBack(taken);
                        }
                    })
                )
        );
        Assert.InRange(most, 1, 3);
        Assert.Equal(3, slots.Take(100));
    }

    private static void InterlockedMax(ref int target, int value)
    {
        for (var before = Volatile.Read(ref target); value > before; before = Volatile.Read(ref target))
        {
            if (Interlocked.CompareExchange(ref target, value, before) == before)
                return;
        }
    }
}
