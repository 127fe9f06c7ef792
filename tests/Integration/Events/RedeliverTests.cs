using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Running an event again by hand, in any state.</summary>
public sealed class RedeliverTests : IAsyncLifetime
{
    private TestDatabase database = null!;
    private DeliveryStore store = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        store = new DeliveryStore(database.Owner, Guid.CreateVersion7());
        await database.ExecuteAsync("select functions.deploy('f', 'x'); select functions.invoke('f')");
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Fact]
    public async Task A_done_event_is_delivered_again_with_its_id_and_a_first_attempt()
    {
        var first = await ClaimAsync();
        await store.CompleteAsync([new DeliveryOutcome(first, null, null, null, 0, default)], CancellationToken.None);

        Assert.Equal("done", await RedeliverAsync(first.EventId));

        var again = await ClaimAsync();
        Assert.Equal((first.EventId, 0), (again.EventId, again.FailedAttempts));
    }

    [Fact]
    public async Task A_dead_letter_is_redriven()
    {
        var first = await ClaimAsync();
        await store.CompleteAsync([new DeliveryOutcome(first, "FUNCTION_ERROR", "no", null, 6, default)], CancellationToken.None);

        Assert.Equal("dead", await RedeliverAsync(first.EventId));

        Assert.Equal(
            (first.EventId, 0),
            ((await ClaimAsync()).EventId, await database.ScalarAsync<long>("select count(*) from functions.dead_letters"))
        );
    }

    [Fact]
    public async Task Redeliver_ends_the_wait_of_a_failed_event_and_resets_its_attempts()
    {
        await FailAsync(await ClaimAsync(), attempts: 3);
        var waiting = await database.ScalarAsync<Guid>("select event_id from functions_private.deliveries");

        Assert.Equal("retrying", await RedeliverAsync(waiting));

        Assert.Equal(0, (await ClaimAsync()).FailedAttempts);
    }

    [Fact]
    public async Task An_event_that_is_running_is_refused()
    {
        var running = await ClaimAsync();

        var refused = await Assert.ThrowsAsync<PostgresException>(() => RedeliverAsync(running.EventId));

        Assert.Equal(PostgresErrorCodes.ObjectInUse, refused.SqlState);
    }

    [Fact]
    public async Task An_unknown_event_is_an_error_that_says_where_to_look()
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => RedeliverAsync(Guid.NewGuid()));

        Assert.Equal(PostgresErrorCodes.UndefinedObject, refused.SqlState);
        Assert.Contains("functions.events", refused.Hint);
    }

    [Fact]
    public async Task Redrive_without_arguments_takes_every_dead_letter()
    {
        await store.CompleteAsync(
            [new DeliveryOutcome(await ClaimAsync(), "FUNCTION_ERROR", "no", null, 6, default)],
            CancellationToken.None
        );

        Assert.Equal(1, await database.ScalarAsync<long>("select functions.redrive()"));
    }

    [Theory]
    [InlineData("{}", 1)]
    [InlineData("""{"function": "f"}""", 1)]
    [InlineData("""{"function": "g"}""", 0)]
    [InlineData("""{"trigger": "none"}""", 0)]
    public async Task Retry_now_ends_the_backoff_of_failed_events_and_keeps_their_attempt_count(string filter, long hastened)
    {
        await FailAsync(await ClaimAsync(), attempts: 3);

        Assert.Equal(hastened, await database.ScalarAsync<long>($"select functions.retry_now('{filter}')"));

        var claimed = await store.ClaimAsync(new Dictionary<string, int> { ["f"] = 10 }, CancellationToken.None);
        Assert.Equal(hastened == 0 ? [] : [3], claimed.Select(one => one.FailedAttempts));
    }

    [Fact]
    public async Task Retry_now_does_not_start_delayed_invocations_early()
    {
        await ClaimAsync();
        await database.ExecuteAsync("""select functions.invoke('f', null, '{"delay_ms": 3600000}')""");

        Assert.Equal(0, await database.ScalarAsync<long>("select functions.retry_now()"));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("'[]'")]
    [InlineData("""'{"error_code": "X"}'""")]
    public async Task Retry_now_refuses_an_invalid_filter(string filter)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select functions.retry_now({filter})"));

        Assert.Equal(PostgresErrorCodes.InvalidParameterValue, refused.SqlState);
    }

    private async Task<Delivery> ClaimAsync() =>
        Assert.Single(await store.ClaimAsync(new Dictionary<string, int> { ["f"] = 10 }, CancellationToken.None));

    private Task FailAsync(Delivery delivery, int attempts) =>
        store.CompleteAsync(
            [new DeliveryOutcome(delivery, "FUNCTION_ERROR", "no", TimeSpan.FromHours(1), attempts, default)],
            CancellationToken.None
        );

    private Task<string> RedeliverAsync(Guid id) => database.ScalarAsync<string>($"select functions.redeliver('{id}')");
}
