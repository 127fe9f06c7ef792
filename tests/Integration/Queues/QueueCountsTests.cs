using Functions.PgSidecar.Core.Queues;
using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>The counts of <c>functions.queues</c> lose nothing when the database fails.</summary>
public sealed class QueueCountsTests : IAsyncLifetime
{
    private static readonly string[] Queues = ["a", "b", "c", "d", "e"];

    private TestDatabase database = null!;

    public async ValueTask InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Counts_that_the_database_did_not_take_are_recorded_later_and_none_twice()
    {
        await using var store = new QueueStore(
            NpgsqlDataSource.Create(database.ConnectionString),
            new SidecarIdentity(Guid.CreateVersion7())
        );
        var counts = new QueueCounts();
        foreach (var queue in Queues)
            counts.Add(queue, new QueueRecord(5, 2, 1));
        await database.ExecuteAsync("alter table functions_private.queue_counts add constraint refusing check (queue <> 'c')");
        await Assert.ThrowsAsync<PostgresException>(() => counts.RecordAsync(store, TestContext.Current.CancellationToken));
        counts.Add("c", new QueueRecord(10, 0, 0));
        await database.ExecuteAsync("alter table functions_private.queue_counts drop constraint refusing");
        await counts.RecordAsync(store, TestContext.Current.CancellationToken);
        await counts.RecordAsync(store, TestContext.Current.CancellationToken);
        Assert.Equal(
            "a:5:2:1 b:5:2:1 c:15:2:1 d:5:2:1 e:5:2:1",
            await database.ScalarAsync<string>(
                """
                select string_agg(concat_ws(':', queue, delivered, retried, dead), ' ' order by queue) from (
                    select queue, sum(delivered) as delivered, sum(retried) as retried, sum(dead) as dead
                    from functions_private.queue_counts group by queue) q
                """
            )
        );
    }
}
