using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Postgres.Events;

namespace Functions.PgSidecar.Tests.Unit.Events;

public sealed class HeldDeliveriesTests
{
    [Fact]
    public void Functions_take_turns_however_much_of_one_waits()
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
    public void Two_functions_that_fill_every_place_let_a_third_have_its_turn()
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
    public void A_function_at_its_limit_has_no_turn_until_one_of_its_invocations_ends()
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
    public void However_many_functions_have_a_backlog_there_is_a_place_for_the_next_one()
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
        while (held.TryReserve("large", 1 << 20))
        {
        }

        Assert.Empty(held.Room(["large"]));
        Assert.True(held.TryReserve("next", 1 << 20));
        Assert.True(held.Room(["next"])["next"] > 0);
    }

    [Fact]
    public void Places_given_back_can_be_taken_again()
    {
        var held = new HeldDeliveries(maxRunning: 1);
        while (held.TryReserve("f", 0))
        {
        }
        held.Release("f", 0);

        Assert.True(held.TryReserve("f", 0));
        Assert.False(held.TryReserve("f", 0));
    }

    [Fact]
    public void While_the_database_is_away_one_delivery_at_a_time_finds_out_whether_it_is_back()
    {
        var held = new HeldDeliveries(maxRunning: 10);
        Put(held, "f", 20);
        var running = Start(held);
        held.End(running[0], new DeliveryEnd(100, IsDatabaseAway: true));

        Assert.Equal(10, held.TakeWaiting("f").Count);
        Assert.False(held.TryReserve("f", 0));
        Assert.Empty(held.Room(["f"]));
        Assert.True(held.TryReserve("other", 0));

        // One that ran all the while and succeeded.
        held.End(running[1], new DeliveryEnd(100));
        Assert.True(held.TryReserve("f", 0));
    }

    private static List<Delivery[]> Start(HeldDeliveries held) => held.Start(_ => 1);

    private static void Put(HeldDeliveries held, string function, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Assert.True(held.TryReserve(function, 0));
            held.Enqueue(new Delivery { EventId = Guid.NewGuid(), Token = 1, Function = function, Kind = "invoke", Payload = default });
        }
    }
}
