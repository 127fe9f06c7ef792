using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>An expired partition is dropped when no session reads it and no delivery needs it. Nothing else waits for that.</summary>
public sealed class PartitionLockTests
{
    private const string Maintain = "select functions.maintain_partitions('7 days')";
    private const string Expired = "((now() at time zone 'UTC')::date - 20)";

    /// <summary>An event in an existing, expired partition, and its dead letter.</summary>
    private const string Letter = $"""
        select functions.deploy('f', 'x');
        select functions_private.make_partition('events', {Expired});
        insert into functions_private.events (id, occurred_at, kind, function, payload)
        values ('00000000-0000-7000-8000-000000000001', now() - interval '20 days', 'invoke', 'f', '1');
        insert into functions_private.dead_letters (event_id, occurred_at, kind, function, payload, attempts, error_code)
        select e.id, e.occurred_at, e.kind, e.function, e.payload, 6, 'FUNCTION_ERROR' from functions_private.events e;
        """;

    private static readonly Guid Sidecar = Guid.CreateVersion7();

    [Fact]
    public async Task Partition_that_is_being_read_is_kept_and_blocks_neither_new_partitions_nor_writers()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            $"""
            select functions.deploy('f', 'x');
            select functions_private.make_partition(p, {Expired}) from unnest(array['invocations', 'logs', 'events']) p;
            do $$ begin execute format('drop table functions_private.events_%s', to_char((now() at time zone 'UTC')::date + 3, 'YYYYMMDD')); end $$;
            """
        );
        await using var reader = await ConcurrentSession.OpenAsync(database);
        await using var keeper = await ConcurrentSession.OpenAsync(database);
        await reader.ExecuteAsync("begin; select * from functions.events");
        // The next partition of the events is created, and the expired partitions of the other two tables are dropped.
        Assert.Equal(3, await keeper.ScalarAsync<int>("set lock_timeout = '7s'; " + Maintain));
        Assert.Equal("7s", await keeper.ScalarAsync<string>("show lock_timeout"));
        Assert.Equal("events", await PartitionsAsync(database, -20));
        Assert.Equal("invocations logs events", await PartitionsAsync(database, 3));
        await database.ExecuteAsync("select functions.invoke('f')");
        await reader.ExecuteAsync("commit");
        Assert.Equal(1, await new InvocationLogStore(database.Owner).MaintainPartitionsAsync(TimeSpan.FromDays(7), CancellationToken.None));
        Assert.Equal("", await PartitionsAsync(database, -20));
    }

    [Fact]
    public async Task Partition_that_receives_a_redriven_dead_letter_is_kept()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Letter);
        await using var redriver = await ConcurrentSession.OpenAsync(database);
        await using var keeper = await ConcurrentSession.OpenAsync(database);
        await redriver.ExecuteAsync("begin; select functions.redrive('{}')");
        var dropping = keeper.ScalarAsync<bool>($"select functions_private.drop_partition('events', {Expired}, '60 s')");
        await keeper.WaitsAsync(dropping);
        await redriver.ExecuteAsync("commit");
        Assert.False(await dropping);
        Assert.Single(await ClaimAsync(database));
        Assert.Equal(0, await keeper.ScalarAsync<int>(Maintain));
    }

    [Fact]
    public async Task Maintenance_during_a_redrive_loses_no_dead_letter()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Letter);
        await using var redriver = await ConcurrentSession.OpenAsync(database);
        await using var keeper = await ConcurrentSession.OpenAsync(database);
        await redriver.ExecuteAsync("begin; select functions.redrive('{}')");
        Assert.Equal(0, await keeper.ScalarAsync<int>(Maintain));
        await redriver.ExecuteAsync("commit");
        Assert.Single(await ClaimAsync(database));
    }

    [Fact]
    public async Task Dead_letter_whose_partition_is_dropped_is_redriven_into_a_new_one()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(Letter);
        await using var redriver = await ConcurrentSession.OpenAsync(database);
        await using var keeper = await ConcurrentSession.OpenAsync(database);
        await keeper.ExecuteAsync("begin; " + Maintain);
        var redriving = redriver.ScalarAsync<long>("select functions.redrive('{}')");
        await redriver.WaitsAsync(redriving);
        await keeper.ExecuteAsync("commit");
        Assert.Equal(1, await redriving);
        Assert.Single(await ClaimAsync(database));
    }

    private static Task<IReadOnlyList<Delivery>> ClaimAsync(TestDatabase database) =>
        new DeliveryStore(database.Owner, Sidecar).ClaimAsync(new Dictionary<string, int> { ["f"] = 10 }, CancellationToken.None);

    /// <summary>The tables that have a partition for the day that many days from now.</summary>
    private static Task<string> PartitionsAsync(TestDatabase database, int days) =>
        database.ScalarAsync<string>(
            $"""
            select coalesce(string_agg(p, ' ' order by n), '') from unnest(array['invocations', 'logs', 'events']) with ordinality u (p, n)
            where to_regclass(format('functions_private.%s_%s', p, to_char((now() at time zone 'UTC')::date + {days}, 'YYYYMMDD'))) is not null
            """
        );
}
