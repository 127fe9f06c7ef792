using System.Text;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Webhooks;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Webhooks;

/// <summary>Batches of webhooks: one bad row, one missing partition or a repetition among them does not hurt the others.</summary>
public sealed class WebhookWriterTests
{
    private static readonly WebhookDefinition Hook = new()
    {
        Name = "hook",
        Function = "hooked",
        Scheme = WebhookSchemes.Find("standard"),
        Keys = [],
        DedupeSeconds = 86400,
    };

    [Fact]
    public async Task Row_that_the_database_refuses_does_not_take_the_batch_along()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var writer = Writer(database);
        var good = Arrival("a", """{"trigger":"webhook"}""");
        var bad = Arrival("b", "{\"broken\":");
        var other = Arrival("c", """{"trigger":"webhook"}""");
        await writer.StoreAsync([good, bad, other]);
        Assert.Equal(WebhookReceiptStatus.Stored, (await good.Receipt).Status);
        Assert.Equal(WebhookReceiptStatus.Stored, (await other.Receipt).Status);
        Assert.False(bad.Receipt.IsCompleted);
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from functions_private.events"));
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from functions_private.webhook_deliveries"));
    }

    [Fact]
    public async Task Repetitions_in_one_batch_and_in_later_ones_get_the_first_event()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var writer = Writer(database);
        var first = Arrival("a", "{}");
        var second = Arrival("a", "{}");
        await writer.StoreAsync([first, second]);
        var later = Arrival("a", "{}");
        await writer.StoreAsync([later]);
        Assert.Equal(new WebhookReceipt(WebhookReceiptStatus.Stored, first.EventId), await first.Receipt);
        Assert.Equal(new WebhookReceipt(WebhookReceiptStatus.Repeated, first.EventId), await second.Receipt);
        Assert.Equal(new WebhookReceipt(WebhookReceiptStatus.Repeated, first.EventId), await later.Receipt);
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
    }

    [Fact]
    public async Task Missing_partition_of_the_day_is_created()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            do $$ declare one regclass; begin
                for one in select inhrelid::regclass from pg_inherits where inhparent = 'functions_private.events'::regclass loop
                    execute format('drop table %s', one);
                end loop;
            end $$
            """
        );
        await using var writer = Writer(database);
        var arrival = Arrival("a", "{}");
        await writer.StoreAsync([arrival]);
        Assert.Equal(WebhookReceiptStatus.Stored, (await arrival.Receipt).Status);
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from functions_private.events"));
    }

    [Fact]
    public async Task Session_that_stores_waits_for_the_disk_although_the_database_does_not_by_default()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            $"""
            alter database "{database.Name}" set synchronous_commit = off;
            create table seen (setting text);
            create function look() returns trigger language plpgsql as $$
            begin
                insert into seen values (current_setting('synchronous_commit'));
                return null;
            end $$;
            create trigger look after insert on functions_private.webhook_deliveries execute function look();
            """
        );
        database.Owner.Clear();
        await using var writer = Writer(database);
        await writer.StoreAsync([Arrival("a", "{}")]);
        Assert.Equal("on", await database.ScalarAsync<string>("select setting from seen"));
        Assert.Equal("off", await database.ScalarAsync<string>("show synchronous_commit"));
    }

    [Fact]
    public async Task What_the_sink_reserves_is_claimed_and_handed_over_and_the_rest_waits()
    {
        await using var database = await TestDatabase.CreateAsync();
        var sink = new HalfSink();
        await using var writer = Writer(database, sink);
        var arrivals = Enumerable.Range(0, 4).Select(i => Arrival($"{i}", "{}")).ToList();
        await writer.StoreAsync(arrivals);
        Assert.Equal([arrivals[0].EventId, arrivals[2].EventId], sink.Accepted.Select(delivery => delivery.EventId));
        Assert.Equal(["hooked"], sink.Left);
        Assert.Equal(
            2,
            await database.ScalarAsync<long>(
                "select count(*) from functions_private.deliveries where claimed_by is not null and claims = 1"
            )
        );
        Assert.Equal(
            2,
            await database.ScalarAsync<long>("select count(*) from functions_private.deliveries where claimed_by is null and claims = 0")
        );
        // A repetition gives its reservation back.
        await writer.StoreAsync([Arrival("0", "{}")]);
        Assert.Equal(1, sink.Forgotten);
    }

    private static WebhookArrival Arrival(string delivery, string payload) =>
        new(Hook, Guid.CreateVersion7(), delivery, Encoding.UTF8.GetBytes(payload));

    private static WebhookWriter Writer(TestDatabase database, IFeedSink? sink = null) =>
        new(database.Owner, Guid.NewGuid(), sink ?? new HalfSink(), TimeProvider.System);

    /// <summary>Reserves every second event.</summary>
    private sealed class HalfSink : IFeedSink
    {
        private int asked;

        public List<Delivery> Accepted { get; } = [];

        public List<string> Left { get; } = [];

        public int Forgotten { get; private set; }

        public bool Reserve(string function, int bytes) => asked++ % 2 == 0;

        public void Accept(IReadOnlyList<Delivery> deliveries, IReadOnlyCollection<string> left)
        {
            Accepted.AddRange(deliveries);
            Left.AddRange(left);
        }

        public void Forget(IReadOnlyList<(string Function, int Bytes)> reserved) => Forgotten += reserved.Count;
    }
}
