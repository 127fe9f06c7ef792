using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Changes that the database takes and that can't be told as events: whoever writes one must not stop what comes after it.</summary>
public sealed class UnreadableTests
{
    [Fact]
    public async Task Claims_nested_as_deep_as_jsonb_takes_them_are_delivered()
    {
        await using var stage = await FaultStage.CreateAsync();
        await stage.ExecuteAsync("grant all on items, effects to authenticated; grant usage on effects_n_seq to authenticated");
        await stage.ExecuteAsync("""
            begin;
            set local role authenticated;
            select set_config('request.jwt.claims', '{"m":' || repeat('[', 1000) || repeat(']', 1000) || '}', true);
            insert into items values (1);
            commit
            """);
        await stage.InsertAsync(2, 2);

        await stage.AllDeliveredAsync(2);
        Assert.Equal("authenticated", await stage.ScalarAsync<string>("select caller ->> 'role' from functions_private.events where payload -> 'new' ->> 'id' = '1'"));
    }

    [Fact]
    public async Task A_text_too_long_for_a_condition_is_a_dead_letter_and_what_follows_is_delivered()
    {
        await using var stage = await FaultStage.CreateAsync(options: """{"when": "new.id > 0"}""");
        await stage.ExecuteAsync("insert into items values (1, 0, repeat('x', 170000000))");

        await AssertBuriedAsync(stage);
    }

    [Fact]
    public async Task JSON_as_deep_as_the_servers_stack_allows_is_a_dead_letter_and_what_follows_is_delivered()
    {
        await using var stage = await FaultStage.CreateAsync();
        await stage.ExecuteAsync("alter table items add column doc json");
        // In an event it lies deeper than in its row: of what the server just takes, it does not take the event.
        var (deepest, tooDeep) = (1, 1_000_000);
        while (tooDeep - deepest > 1)
        {
            var middle = (deepest + tooDeep) / 2;
            if (await IsTakenAsync(stage, middle, "select $1 is null")) deepest = middle;
            else tooDeep = middle;
        }
        Assert.True(await IsTakenAsync(stage, deepest, "insert into items (id, doc) values (1, $1)"));

        await AssertBuriedAsync(stage);
    }

    private static async Task<bool> IsTakenAsync(FaultStage stage, int depth, string sql)
    {
        await using var command = stage.Owner.CreateCommand(sql);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Json, Value = new string('[', depth) + new string(']', depth) });
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

    /// <summary>The first row's event is a letter that says why; the second row is delivered, also when the reader begins anew.</summary>
    private static async Task AssertBuriedAsync(FaultStage stage)
    {
        await stage.InsertAsync(2, 2);
        await stage.AllDeliveredAsync(1);
        Assert.Equal(2, await stage.ScalarAsync<int>("select id from effects"));
        Assert.Equal("EVENT_UNREADABLE", await stage.ScalarAsync<string>("select string_agg(error_code, ',') from functions.dead_letters"));
        Assert.StartsWith("The change at ", await stage.ScalarAsync<string>("select error_message from functions.dead_letters"), StringComparison.Ordinal);

        await FaultStage.KillAsync(stage.First);
        await stage.StartSidecarAsync();
        await stage.InsertAsync(3, 3);
        await stage.AllDeliveredAsync(2);
    }
}
