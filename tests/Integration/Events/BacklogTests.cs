using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>The backlog of a stopped or slow function costs the other functions nothing.</summary>
public sealed class BacklogTests
{
    [Fact]
    public async Task Claim_finds_work_of_other_functions_without_reading_a_backlog()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            insert into functions_private.deliveries (event_id, occurred_at, function, order_key)
            select gen_random_uuid(), now(), case n % 2 when 0 then 'late' else 'late_in_order' end, case n % 2 when 1 then n end from generate_series(1, 20000) n;
            analyze functions_private.deliveries;
            """
        );
        await using var command = database.Owner.CreateCommand("explain " + DeliveryStore.FunctionsSql);
        await using var reader = await command.ExecuteReaderAsync();
        var plan = new List<string>();
        while (await reader.ReadAsync())
            plan.Add(reader.GetString(0));
        Assert.DoesNotContain(plan, line => line.Contains("Seq Scan on deliveries", StringComparison.Ordinal));
        Assert.Equal(2, plan.Count(line => line.Contains("Index Only Scan using deliveries_", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Plans_that_were_made_while_the_inbox_was_empty_are_as_good_for_a_backlog()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            select functions.deploy('f', 'x'), functions.deploy('g', 'x');
            update functions_private.functions set active_version = 1;
            """
        );
        await database.ExecuteAsync("vacuum analyze functions_private.deliveries");
        await using var events = new EventDatabase(database.ConnectionString);
        var store = new DeliveryStore(events.DataSource, Guid.CreateVersion7());
        var limits = new Dictionary<string, int> { ["f"] = 10, ["g"] = 10 };
        var gone = new Delivery
        {
            EventId = Guid.NewGuid(),
            Token = 1,
            Function = "f",
            Kind = TriggerKind.Database,
            Payload = "{}"u8.ToArray(),
        };
        for (var i = 0; i < 3; i++)
        {
            Assert.Empty(await store.FunctionsAsync(CancellationToken.None));
            Assert.Empty(await store.ClaimAsync(limits, CancellationToken.None));
            await store.CompleteAsync([Done(gone)], CancellationToken.None);
        }
        // No statistics are made of these.
        await database.ExecuteAsync(
            """
            with added as (
                insert into functions_private.deliveries (event_id, occurred_at, function, order_key)
                select gen_random_uuid(), now(), case n % 2 when 0 then 'f' else 'g' end, case n % 2 when 1 then n end
                from generate_series(1, 20000) n returning *
            )
            insert into functions_private.events (id, occurred_at, kind, function, payload)
            select event_id, occurred_at, 'invoke', function, '{}' from added
            """
        );

        Assert.Equal(["f", "g"], (await store.FunctionsAsync(CancellationToken.None)).Order());
        var claimed = await store.ClaimAsync(limits, CancellationToken.None);
        Assert.Equal(20, claimed.Count);
        await store.CompleteAsync([.. claimed.Select(Done)], CancellationToken.None);
        await using (var flush = events.DataSource.CreateCommand("select pg_stat_force_next_flush()"))
            await flush.ExecuteNonQueryAsync();
        Assert.Equal(
            "0 t",
            await database.ScalarAsync<string>(
                """
                select concat_ws(' ', sum(seq_tup_read), sum(idx_tup_fetch) between 40 and 500) from pg_stat_user_tables
                where schemaname = 'functions_private' and (relname = 'deliveries' or relname like 'events%')
                """
            )
        );
    }

    private static DeliveryOutcome Done(Delivery delivery) =>
        new(delivery with { Kind = TriggerKind.Database }, null, null, null, 0, "null"u8.ToArray());
}
