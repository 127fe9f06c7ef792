using Functions.PgSidecar.Core.Webhooks;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Webhooks;

/// <summary>Storing a webhook's event costs the same, however many deliveries are remembered.</summary>
public sealed class WebhookPlanTests
{
    [Fact]
    public async Task Storing_reads_remembered_deliveries_by_their_key_only()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            """
            insert into functions_private.webhook_deliveries (webhook, id, event_id, expires_at)
            select 'w', n::text, gen_random_uuid(), now() + interval '1 day' from generate_series(1, 20000) n;
            analyze functions_private.webhook_deliveries;
            """
        );
        await using var connection = await database.Owner.OpenConnectionAsync();
        var plan = new List<string>();
        await using (
            var prepare = new NpgsqlCommand(
                $"""
                set plan_cache_mode = force_generic_plan;
                prepare storing (uuid[], text[], text[], int[], text[], json[], json[], boolean[], uuid) as {WebhookRows.Sql}
                """,
                connection
            )
        )
            await prepare.ExecuteNonQueryAsync();
        await using var explain = new NpgsqlCommand(
            "explain execute storing (null, null, null, null, null, null, null, null, null)",
            connection
        );
        await using var reader = await explain.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            plan.Add(reader.GetString(0));
        Assert.Contains(plan, line => line.Contains("Index Scan using webhook_deliveries_pkey", StringComparison.Ordinal));
        Assert.DoesNotContain(plan, line => line.Contains("Seq Scan on webhook_deliveries", StringComparison.Ordinal));
    }
}
