using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Tests.Unit.Events;

public sealed class HeldDeliveriesTests
{
    [Fact]
    public void Functions_take_turns_regardless_of_the_backlog_of_one()
    {
        var held = new HeldDeliveries(maxRunning: 4);
        Put(held, "slow", 10);
        var running = Start(held);
        Assert.Equal(["slow", "slow", "slow", "slow"], running.Select(batch => batch[0].Function));

        Put(held, "other", 3);
        Put(held, "third", 1);
        foreach (var batch in running)
            held.End(batch, new DeliveryEnd(100));

        Assert.Equal(["slow", "other", "third", "slow"], Start(held).Select(batch => batch[0].Function));
    }

    [Fact]
    public void Third_function_gets_a_turn_while_two_fill_every_slot()
    {
        var held = new HeldDeliveries(maxRunning: 2);
        Put(held, "slow", 10);
        Put(held, "as_slow", 10);
        var running = new Queue<Delivery[]>(Start(held));
        Put(held, "quick", 1);

        var next = new List<string>();
        for (var ended = 0; ended < 4; ended++)
        {
            held.End(running.Dequeue(), new DeliveryEnd(100));
            var started = Assert.Single(Start(held));
            running.Enqueue(started);
            next.Add(started[0].Function);
        }

        Assert.Equal(["slow", "as_slow", "quick", "slow"], next);
    }

    [Fact]
    public void Function_at_its_limit_gets_no_turn_until_one_of_its_invocations_ends()
    {
        var held = new HeldDeliveries(maxRunning: 10);
        Put(held, "f", 1);
        held.End(Assert.Single(Start(held)), new DeliveryEnd(1));
        Put(held, "f", 3);

        var running = Assert.Single(Start(held));
        Assert.Empty(Start(held));
        held.End(running, new DeliveryEnd(2));

        Assert.Equal(2, Start(held).Count);
    }

    [Fact]
    public void Another_function_always_has_a_slot_regardless_of_the_number_of_backlogs()
    {
        var held = new HeldDeliveries(maxRunning: 1);
        foreach (var function in Enumerable.Range(0, 8).Select(i => $"f{i}"))
        {
            var places = 0;
            while (held.TryReserve(function, 0))
                places++;
            Assert.InRange(places, 1, 3000);
        }

        Assert.True(held.Room(["next"])["next"] > 0);
        Assert.Empty(held.Room(["f0"]));
        Assert.True(held.TryReserve("next", 0));
    }

    [Fact]
    public void A_backlog_of_large_events_leaves_memory_for_the_next_function()
    {
        var held = new HeldDeliveries(maxRunning: 1);
        while (held.TryReserve("large", 1 << 20)) { }

        Assert.Empty(held.Room(["large"]));
        Assert.True(held.TryReserve("next", 1 << 20));
        Assert.True(held.Room(["next"])["next"] > 0);
    }

    [Fact]
    public void Released_slots_can_be_used_again()
    {
        var held = new HeldDeliveries(maxRunning: 1);
        while (held.TryReserve("f", 0)) { }
        held.Release("f", 0);

        Assert.True(held.TryReserve("f", 0));
        Assert.False(held.TryReserve("f", 0));
    }

    [Fact]
    public void One_delivery_at_a_time_probes_an_unavailable_database()
    {
        var held = new HeldDeliveries(maxRunning: 10);
        Put(held, "f", 20);
        var running = Start(held);
        held.End(running[0], new DeliveryEnd(100, IsDatabaseAway: true));

        Assert.Equal(10, held.TakeWaiting("f").Count);
        Assert.False(held.TryReserve("f", 0));
        Assert.Empty(held.Room(["f"]));
        Assert.True(held.TryReserve("other", 0));

        // A delivery that ran during all of this and succeeded.
        held.End(running[1], new DeliveryEnd(100));
        Assert.True(held.TryReserve("f", 0));
    }

    private static List<Delivery[]> Start(HeldDeliveries held) => held.Start(_ => 1);

    private static void Put(HeldDeliveries held, string function, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Assert.True(held.TryReserve(function, 0));
            held.Enqueue(
                new Delivery
                {
                    EventId = Guid.NewGuid(),
                    Token = 1,
                    Function = function,
                    Kind = TriggerKind.Invoke,
                    Payload = default,
                }
            );
        }
    }
}
