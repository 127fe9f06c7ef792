using Functions.PgSidecar.Core.Events;
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
}
