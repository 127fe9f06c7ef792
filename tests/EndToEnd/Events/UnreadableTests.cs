using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Changes that the database accepts and that cannot be stored as events. They must not stop later events.</summary>
public sealed class UnreadableTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Claims_nested_to_the_limit_of_jsonb_are_delivered()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("grant all on items, effects to authenticated; grant usage on effects_n_seq to authenticated");
        await harness.ExecuteAsync(
            """
            begin;
            set local role authenticated;
            select set_config('request.jwt.claims', '{"m":' || repeat('[', 1000) || repeat(']', 1000) || '}', true);
            insert into items values (1);
            commit
            """
        );
        await harness.InsertAsync(2, 2);

        await harness.AllDeliveredAsync(2);
        Assert.Equal(
            "authenticated",
            await harness.ScalarAsync<string>(
                "select caller ->> 'role' from functions_private.events where payload -> 'new' ->> 'id' = '1'"
            )
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Text_too_long_for_a_condition_is_a_dead_letter_and_later_events_are_delivered()
    {
        await using var harness = await FaultHarness.CreateAsync(options: """{"when": "new.id > 0"}""");
        await harness.ExecuteAsync("insert into items values (1, 0, repeat('x', 170000000))");

        await AssertBuriedAsync(harness);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task JSON_nested_to_the_servers_stack_limit_is_a_dead_letter_and_later_events_are_delivered()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.ExecuteAsync("alter table items add column doc json");
        // The value is nested deeper in an event than in its row: the server accepts the row and refuses the event.
        var (deepest, tooDeep) = (1, 1_000_000);
        while (tooDeep - deepest > 1)
        {
            var middle = (deepest + tooDeep) / 2;
            if (await IsTakenAsync(harness, middle, "select $1 is null"))
                deepest = middle;
            else
                tooDeep = middle;
        }
        Assert.True(await IsTakenAsync(harness, deepest, "insert into items (id, doc) values (1, $1)"));

        await AssertBuriedAsync(harness);
    }

    private static async Task<bool> IsTakenAsync(FaultHarness harness, int depth, string sql)
    {
        await using var command = harness.Owner.CreateCommand(sql);
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Json, Value = new string('[', depth) + new string(']', depth) }
        );
        try
        {
            await command.ExecuteNonQueryAsync();
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.StatementTooComplex)
        {
            return false;
        }
    }

    /// <summary>
    /// The event of the first row becomes a dead letter with the reason. The second row is delivered, also after a restart of the reader.
    /// </summary>
    private static async Task AssertBuriedAsync(FaultHarness harness)
    {
        await harness.InsertAsync(2, 2);
        await harness.AllDeliveredAsync(1);
        Assert.Equal(2, await harness.ScalarAsync<int>("select id from effects"));
        Assert.Equal(
            "EVENT_UNREADABLE",
            await harness.ScalarAsync<string>("select string_agg(error_code, ',') from functions.dead_letters")
        );
        Assert.StartsWith(
            "The change at ",
            await harness.ScalarAsync<string>("select error_message from functions.dead_letters"),
            StringComparison.Ordinal
        );

        await FaultHarness.KillAsync(harness.First);
        await harness.StartSidecarAsync();
        await harness.InsertAsync(3, 3);
        await harness.AllDeliveredAsync(2);
    }
}
