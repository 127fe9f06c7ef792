using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// Which completions of deliveries wait for the disk. After a crash that loses a completion, the event is delivered again.
/// </summary>
public sealed class DeliveryEndTests
{
    /// <summary>Records at the commit whether the transaction waits for the disk.</summary>
    private const string Schema = """
        create table waits (event_id uuid, setting text);
        create function note_wait() returns trigger language plpgsql as $$
        begin
            insert into public.waits values (old.event_id, current_setting('synchronous_commit'));
            return null;
        end $$;
        create constraint trigger note_wait after delete on functions_private.deliveries
            deferrable initially deferred for each row execute function note_wait();
        """;

    private static readonly Guid Sidecar = Guid.CreateVersion7();

    [Fact]
    public async Task Completion_without_order_or_result_does_not_wait_for_the_disk()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var waiting = await PrepareAsync(database);
        var (one, other) = (await AddAsync(database, TriggerKind.Database, null), await AddAsync(database, TriggerKind.Database, null));
        await new DeliveryStore(waiting, Sidecar).CompleteAsync([Done(one), Done(other)], CancellationToken.None);
        Assert.Equal(["off", "off"], await WaitsAsync(database, one, other));
    }

    [Fact]
    public async Task Completion_with_a_key_is_on_disk_before_the_next_event_of_that_key_is_delivered()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var waiting = await PrepareAsync(database);
        var (free, ordered) = (await AddAsync(database, TriggerKind.Database, null), await AddAsync(database, TriggerKind.Database, 1));
        await new DeliveryStore(waiting, Sidecar).CompleteAsync([Done(free), Done(ordered)], CancellationToken.None);
        Assert.Equal(["on", "on"], await WaitsAsync(database, free, ordered));
    }

    [Fact]
    public async Task Completion_with_a_result_is_on_disk_before_the_result_is_visible()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var waiting = await PrepareAsync(database);
        var asked = await AddAsync(database, TriggerKind.Invoke, null);
        await new DeliveryStore(waiting, Sidecar).CompleteAsync([Done(asked)], CancellationToken.None);
        Assert.Equal(["on"], await WaitsAsync(database, asked));
    }

    [Fact]
    public async Task Asynchronous_commit_is_limited_to_its_transaction()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var waiting = await PrepareAsync(database);
        await new DeliveryStore(waiting, Sidecar).CompleteAsync(
            [Done(await AddAsync(database, TriggerKind.Database, null))],
            CancellationToken.None
        );
        await using var command = waiting.CreateCommand("select current_setting('synchronous_commit')");
        Assert.Equal("on", await command.ExecuteScalarAsync());
    }

    /// <summary>A connection that waits for the disk by default, regardless of the setting of the tests' cluster.</summary>
    private static async Task<NpgsqlDataSource> PrepareAsync(TestDatabase database)
    {
        await database.ExecuteAsync(Schema);
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString)
        {
            Options = "-c synchronous_commit=on",
            MaxPoolSize = 1,
            NoResetOnClose = true,
        };
        return NpgsqlDataSource.Create(settings);
    }

    private static async Task<Delivery> AddAsync(TestDatabase database, TriggerKind kind, long? orderKey)
    {
        var id = Guid.CreateVersion7();
        await using var command = database.Owner.CreateCommand(
            """
            insert into functions_private.deliveries (event_id, occurred_at, function, order_key, claims, claimed_by) values ($1, now(), 'f', $2, 1, $3)
            """
        );
        command.Parameters.AddWithValue(id);
        command.Parameters.AddWithValue((object?)orderKey ?? DBNull.Value);
        command.Parameters.AddWithValue(Sidecar);
        await command.ExecuteNonQueryAsync();
        return new Delivery
        {
            EventId = id,
            Token = 1,
            Function = "f",
            Kind = kind,
            Payload = "{}"u8.ToArray(),
        };
    }

    private static DeliveryOutcome Done(Delivery delivery) => new(delivery, null, null, null, 0, "null"u8.ToArray());

    private static async Task<string[]> WaitsAsync(TestDatabase database, params Delivery[] deliveries)
    {
        await using var command = database.Owner.CreateCommand(
            "select coalesce(array_agg(w.setting order by g.n), '{}') from unnest($1) with ordinality g (id, n) join waits w on w.event_id = g.id"
        );
        command.Parameters.AddWithValue(deliveries.Select(delivery => delivery.EventId).ToArray());
        return (string[])(await command.ExecuteScalarAsync())!;
    }
}
