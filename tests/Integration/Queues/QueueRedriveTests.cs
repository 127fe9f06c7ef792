using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>Dead messages are put back into their queue.</summary>
public sealed class QueueRedriveTests : IAsyncLifetime
{
    private const string Example = "For example: {\"error_code\": \"TIMEOUT\"}; {} is every dead message of the queue.";
    private TestDatabase database = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            "insert into functions_private.functions (name) values ('f'); select functions.create_queue('q'), functions.create_queue('other')"
        );
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Theory]
    [InlineData("")]
    [InlineData(", \"dead_letter_queue\": \"dead\"")]
    public async Task Dead_messages_return_in_their_order_with_all_attempts_and_without_the_header(string option)
    {
        await ConsumeAsync(option);
        await database.ExecuteAsync(
            """
            select pgmq.send('q', to_jsonb(n), case n when 2 then '{"kept": 1}'::jsonb end) from generate_series(1, 3) n
            """
        );
        await DieAsync("TIMEOUT");
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from pgmq.q_q"));

        Assert.Equal(3, await RedriveAsync("{}"));
        Assert.Equal(
            """1 0 -,2 0 {"kept": 1},3 0 -""",
            await database.ScalarAsync<string>(
                "select string_agg(message::text || ' ' || read_ct || ' ' || coalesce(headers::text, '-'), ',' order by msg_id) from pgmq.q_q"
            )
        );
        Assert.Equal(0, await RedriveAsync("{}"));
        // A consumer gets them again.
        Assert.Equal(3, await database.ScalarAsync<long>($"select count(*) from {Claim}"));
    }

    [Fact]
    public async Task Filter_chooses_by_the_error_and_by_the_time_of_death()
    {
        await ConsumeAsync("");
        foreach (var code in new[] { "A", "B", "C" })
        {
            await database.ExecuteAsync("select pgmq.send('q', '1')");
            await DieAsync(code);
        }
        await database.ExecuteAsync(
            "update pgmq.a_q set archived_at = '2026-02-06 09:00+00' where headers #>> '{x-dead-letter,error_code}' = 'C'"
        );
        Assert.Equal(1, await RedriveAsync("""{"error_code": "A"}"""));
        Assert.Equal(0, await RedriveAsync("""{"error_code": "A"}"""));
        Assert.Equal(0, await RedriveAsync("""{"until": "2026-02-06 09:00+00"}"""));
        Assert.Equal(1, await RedriveAsync("""{"since": "2026-02-06 09:00+00", "until": "2026-02-06 09:01+00"}"""));
        Assert.Equal(1, await RedriveAsync("{}"));
    }

    [Fact]
    public async Task Only_dead_messages_of_the_queue_return_and_none_that_a_reader_has_taken()
    {
        await ConsumeAsync(", \"dead_letter_queue\": \"dead\"");
        await database.ExecuteAsync(
            """
            select pgmq.send('dead', '"plain"'), pgmq.send('dead', '"foreign"', '{"x-dead-letter": {"queue": "other"}}'::jsonb),
                pgmq.send('dead', '"odd"', '{"x-dead-letter": "q"}'::jsonb), pgmq.send('dead', '"array"', '["x-dead-letter"]'::jsonb);
            select pgmq.archive('q', pgmq.send('q', '"archived"'));
            """
        );
        Assert.Equal(0, await RedriveAsync("{}"));

        await database.ExecuteAsync("select pgmq.send('q', '1')");
        await DieAsync("TIMEOUT");
        await database.ExecuteAsync("select pgmq.read('dead', 60, 100)");
        Assert.Equal(0, await RedriveAsync("{}"));
        await database.ExecuteAsync("update pgmq.q_dead set vt = now()");
        Assert.Equal(1, await RedriveAsync("{}"));
        Assert.Equal(4, await database.ScalarAsync<long>("select count(*) from pgmq.q_dead"));
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from pgmq.a_q"));
    }

    [Fact]
    public async Task After_the_consumer_is_stopped_the_dead_letter_queue_is_named()
    {
        await ConsumeAsync(", \"dead_letter_queue\": \"dead\"");
        await database.ExecuteAsync("select pgmq.send('q', '1')");
        await DieAsync("TIMEOUT");
        await database.ExecuteAsync("select functions.stop_consuming('q')");
        Assert.Equal(0, await RedriveAsync("{}"));
        Assert.Equal(1, await RedriveAsync("""{"dead_letter_queue": "dead"}"""));
    }

    [Fact]
    public async Task Header_with_values_of_any_kind_does_not_disturb_a_redrive()
    {
        await ConsumeAsync(", \"dead_letter_queue\": \"dead\"");
        await database.ExecuteAsync(
            """select pgmq.send('dead', '1', '{"x-dead-letter": {"queue": "q", "died_at": "never", "error_code": {"a": [1]}}}'::jsonb)"""
        );
        Assert.Equal(1, await RedriveAsync("""{"since": "2020-01-01 00:00+00"}"""));
    }

    [Theory]
    [InlineData("'none', '{}'", "There is no queue named \"none\".", null)]
    [InlineData("'q', '[]'", "the filter must be a JSON object, not array", Example)]
    [InlineData("'q', null", "the filter must be a JSON object, not null", Example)]
    [InlineData(
        "'q', '{\"function\": \"f\"}'",
        "unknown member \"function\" of the filter",
        "The members are error_code, since, until, dead_letter_queue."
    )]
    [InlineData(
        "'q', '{\"since\": \"never\"}'",
        "member since of the filter is not a time: \"never\"",
        "For example: \"2026-02-06 09:00+00\"."
    )]
    [InlineData("'q', '{\"since\": 5}'", "member since of the filter must be a text, not 5", null)]
    [InlineData("'q', '{\"dead_letter_queue\": \"none\"}'", "There is no queue named \"none\".", null)]
    public async Task Mistake_is_named_and_explained(string arguments, string message, string? hint)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync($"select functions.redrive_queue({arguments})")
        );
        Assert.Equal(message, error.MessageText);
        if (hint is not null)
            Assert.Equal(hint, error.Hint);
    }

    [Fact]
    public async Task Roles_of_functions_can_not_redrive_and_tables_of_others_are_left_alone()
    {
        foreach (var role in new[] { "anon", "authenticated", "service_role" })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() =>
                database.ExecuteAsync($"set role {role}; select functions.redrive_queue('q')")
            );
            Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
        }
        // A trigger of this owner would run with the rights of whoever redrives.
        await database.ExecuteAsync("alter table pgmq.a_q owner to service_role");
        var foreign = await Assert.ThrowsAsync<PostgresException>(() => RedriveAsync("{}"));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, foreign.SqlState);
    }

    private const string Claim = "functions_private.claim_messages('q', '00000000-0000-0000-0000-000000000001', 1, null)";

    private Task ConsumeAsync(string option) =>
        database.ExecuteAsync($$"""select functions.consume_queue('q', 'f', '{"role": "service_role", "max_retries": 0{{option}}}')""");

    private Task<long> RedriveAsync(string filter) => database.ScalarAsync<long>($"select functions.redrive_queue('q', '{filter}')");

    /// <summary>Every waiting message is claimed and fails, without a retry left.</summary>
    private Task DieAsync(string code) =>
        database.ExecuteAsync(
            $"""
            select functions_private.finish_batch(c.batch, null, c.ids, array_fill(null::int, array[cardinality(c.ids)]), null, 0, '{code}', 'm')
            from (select batch, array_agg(msg_id) as ids from {Claim} group by batch) c
            """
        );
}
