using System.Text;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Which events can be retried after their last attempt.</summary>
public sealed class RedriveTests
{
    private static readonly Guid Sidecar = Guid.CreateVersion7();

    [Fact]
    public async Task Result_is_that_of_the_last_attempt_and_success_is_final()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new DeliveryStore(database.Owner, Sidecar);
        await database.ExecuteAsync("select functions.deploy('f', 'x'); select functions.invoke('f')");
        foreach (var reason in (string[])["first", "second"])
        {
            await store.CompleteAsync([Failed(await ClaimOneAsync(store), reason)], CancellationToken.None);
            Assert.Equal($"failed {reason}", await ResultAsync(database));
            await database.ExecuteAsync("select functions.redrive('{}')");
        }
        await store.CompleteAsync([Succeeded(await ClaimOneAsync(store), "7")], CancellationToken.None);
        Assert.Equal("succeeded 7", await ResultAsync(database));
        Assert.Equal("7", await database.ScalarAsync<string>("select functions_private.call_result(id)::text from functions.results"));

        // Delivered again, because its completion was lost.
        await database.ExecuteAsync(
            "insert into functions_private.deliveries (event_id, occurred_at, function) select id, occurred_at, function from functions_private.events"
        );
        var again = await ClaimOneAsync(store);
        await store.CompleteAsync([Failed(again, "third")], CancellationToken.None);
        Assert.Equal("succeeded 7", await ResultAsync(database));
    }

    [Fact]
    public async Task Delivery_without_its_event_is_removed_and_its_invocation_fails()
    {
        await using var database = await TestDatabase.CreateAsync();
        var store = new DeliveryStore(database.Owner, Sidecar);
        await database.ExecuteAsync(
            """
            select functions.deploy('f', 'x'); select functions.invoke('f');
            insert into functions_private.deliveries (event_id, occurred_at, function) values ('00000000-0000-7000-8000-000000000001', now(), 'f');
            """
        );
        var whole = await ClaimOneAsync(store);
        var claimed = await store.ClaimedAsync(CancellationToken.None);
        Assert.Equal(2, claimed.Count);

        Assert.Equal([Guid.Parse("00000000-0000-7000-8000-000000000001")], await store.ReleaseAsync(claimed, CancellationToken.None));

        Assert.Equal(whole.EventId, (await ClaimOneAsync(store)).EventId);
        Assert.Equal([whole.EventId], await store.ClaimedAsync(CancellationToken.None));
        Assert.Equal("EVENT_GONE", await database.ScalarAsync<string>("select error_code from functions.results where status = 'failed'"));
    }

    private static async Task<Delivery> ClaimOneAsync(DeliveryStore store) =>
        Assert.Single(await store.ClaimAsync(new Dictionary<string, int> { ["f"] = 10 }, CancellationToken.None));

    private static DeliveryOutcome Failed(Delivery delivery, string reason) => new(delivery, "FUNCTION_ERROR", reason, null, 6, default);

    private static DeliveryOutcome Succeeded(Delivery delivery, string result) =>
        new(delivery, null, null, null, 0, Encoding.UTF8.GetBytes(result));

    private static Task<string> ResultAsync(TestDatabase database) =>
        database.ScalarAsync<string>("select status || ' ' || coalesce(result::text, error_message) from functions.results");
}
