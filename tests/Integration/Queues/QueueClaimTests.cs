using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>Options of consumers; which messages a claim takes, in what order, and what it reads.</summary>
public sealed class QueueClaimTests : QueueDatabaseTests
{
    [Theory]
    [InlineData("""{"batch_size": 0}""", "option batch_size must be a whole number from 1 to 100, not 0")]
    [InlineData("""{"batch_timeout": 61}""", "option batch_timeout must be a number of seconds from 0 to 60, not 61")]
    [InlineData("""{"dead_letter_queue": "q"}""", "option dead_letter_queue: a queue can not be its own dead letter queue")]
    [InlineData("""{"ordered": "yes"}""", "option ordered must be true or false, not \"yes\"")]
    [InlineData("""{"max_batch_size": 5}""", "unknown option \"max_batch_size\"")]
    [InlineData("""{"role": "postgres"}""", "option role: functions may not run as \"postgres\"")]
    [InlineData("{}", "nothing says which role f runs as")]
    public async Task Invalid_options_of_consumers_are_refused_by_name(string options, string message)
    {
        var error = await Assert.ThrowsAsync<PostgresException>(() => ConsumeAsync(options));
        Assert.Equal(message, error.MessageText);
    }

    [Fact]
    public async Task No_more_batches_are_leased_than_the_consumers_concurrency()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "concurrency": 2}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        var first = await ClaimAsync(Mine);
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Other));
        Assert.Equal(Guid.Empty, await ClaimAsync(Other));
        await FinishAsync(first, "array[1]", "array[]::bigint[]");
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Other));
    }

    [Fact]
    public async Task Claims_of_batches_that_wait_to_be_full_take_turns()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 3, "batch_timeout": 60}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        await using var first = await Database.Owner.OpenConnectionAsync();
        await using var transaction = await first.BeginTransactionAsync();
        await using var claim = new NpgsqlCommand(
            $"select count(*) from functions_private.claim_messages('q', '{Mine}', 1, null) where msg_id is not null",
            first
        );
        Assert.Equal(3L, await claim.ExecuteScalarAsync());
        // Both would see a full batch, and each could take a part of it.
        var second = ClaimAsync(Other);
        await Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>(
                """
                select exists (select from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock' and query like '%claim_messages%')
                """
            )
        );
        await transaction.CommitAsync();
        Assert.Equal(Guid.Empty, await second);
    }

    [Fact]
    public async Task Claims_at_the_same_time_give_each_message_to_one_sidecar_and_keep_the_order_of_groups()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 2, "ordered": true}""");
        await Database.ExecuteAsync(
            """select pgmq.send('q', to_jsonb(n), jsonb_build_object('x-pgmq-group', n % 20)) from generate_series(1, 400) n"""
        );
        var taken = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(_ =>
                    Database.ScalarAsync<string>(
                        $"select coalesce(string_agg(msg_id::text, ','), '') from functions_private.claim_messages('q', '{Mine}', 2, null)"
                    )
                )
        );
        var ids = taken.SelectMany(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries)).Select(long.Parse).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        // The first messages of each group, without gaps.
        Assert.True(
            await Database.ScalarAsync<bool>(
                """
                select bool_and(hidden = wanted) from (
                    select vt > clock_timestamp() as hidden, row_number() over (partition by headers ->> 'x-pgmq-group' order by msg_id)
                        <= count(*) filter (where vt > clock_timestamp()) over (partition by headers ->> 'x-pgmq-group') as wanted from pgmq.q_q) s
                """
            )
        );
    }

    [Fact]
    public async Task Groups_behind_many_messages_of_a_group_that_waits_are_found()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 2, "ordered": true}""");
        await Database.ExecuteAsync(
            """
            insert into pgmq.q_q (vt, message, headers) select now(), to_jsonb(n), '{"x-pgmq-group": "waits"}' from generate_series(1, 5000) n;
            insert into pgmq.q_q (vt, message, headers) select now(), to_jsonb(n), '{"x-pgmq-group": "goes"}' from generate_series(1, 3) n;
            update pgmq.q_q set vt = now() + interval '1 hour' where msg_id = 1
            """
        );
        Assert.Equal(
            "5001,5002",
            await Database.ScalarAsync<string>(
                $"select string_agg(msg_id::text, ',') from functions_private.claim_messages('q', '{Mine}', 8, null)"
            )
        );
    }

    [Fact]
    public async Task Groups_fill_batches_and_a_group_stays_in_one_batch()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 4, "ordered": true}""");
        await Database.ExecuteAsync(
            """
            select pgmq.send('q', to_jsonb(n), jsonb_build_object('x-pgmq-group', n / 100))
            from unnest(array[101, 102, 201, 202, 203, 204, 205, 301, 401, 402]) n
            """
        );
        var batches = await Database.ScalarAsync<string>(
            $"""
            select string_agg(list, ' ' order by list) from (
                select string_agg(message, ',' order by msg_id) as list
                from functions_private.claim_messages('q', '{Mine}', 8, null) group by batch) b
            """
        );
        Assert.All(batches.Split(' '), batch => Assert.InRange(batch.Split(',').Length, 1, 4));
        var groups = batches.Split(' ').SelectMany(batch => batch.Split(',').Select(message => message[0]).Distinct()).ToList();
        Assert.Equal(groups.Distinct().Count(), groups.Count);
        Assert.Equal(4, groups.Count);
    }

    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"ordered": true}""", "jsonb_build_object('x-pgmq-group', n)")]
    public async Task A_claim_reads_no_more_rows_than_it_needs_among_very_many(string options, string headers)
    {
        await ConsumeAsync(
            $$"""{"role": "service_role"}""".Replace("}", options == "{}" ? "}" : ", " + options[1..], StringComparison.Ordinal)
        );
        // As many delayed messages as waiting ones, with lower ids.
        await Database.ExecuteAsync(
            $"""
            insert into pgmq.q_q (vt, message, headers) select now() + interval '1 hour', to_jsonb(n), {(
                headers.Length == 0 ? "null" : headers
            )}
            from generate_series(1, 30000) n;
            insert into pgmq.q_q (vt, message, headers) select now(), to_jsonb(n), {(
                headers.Length == 0 ? "null" : headers.Replace("n)", "-n)", StringComparison.Ordinal)
            )}
            from generate_series(1, 30000) n;
            """
        );
        await Database.ExecuteAsync("analyze pgmq.q_q");
        await using var connection = await Database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var claim = new NpgsqlCommand(
            $"select count(*) from functions_private.claim_messages('q', '{Mine}', 1, null)",
            connection
        );
        Assert.Equal(10L, await claim.ExecuteScalarAsync());
        await using var read = new NpgsqlCommand(
            "select concat_ws(' ', seq_tup_read, idx_tup_fetch < 40000) from pg_stat_xact_user_tables where relid = 'pgmq.q_q'::regclass",
            connection
        );
        Assert.Equal("0 t", await read.ExecuteScalarAsync());
        if (headers.Length > 0)
            return;
        await using var few = new NpgsqlCommand(
            "select idx_tup_fetch from pg_stat_xact_user_tables where relid = 'pgmq.q_q'::regclass",
            connection
        );
        Assert.InRange((long)(await few.ExecuteScalarAsync())!, 10, 100);
    }

    [Fact]
    public async Task A_session_that_has_claimed_from_the_empty_queue_reads_no_more_rows_when_it_is_long()
    {
        await ConsumeAsync("""{"role": "service_role"}""");
        await Database.ExecuteAsync("vacuum analyze pgmq.q_q");
        await using var connection = await Database.Owner.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(
            $"select count(*) from functions_private.claim_messages('q', '{Mine}', 2, null, true)",
            connection
        );
        Assert.Equal(0L, await command.ExecuteScalarAsync()); // its statement is planned now
        // No statistics are made of these before the next claim, unless autovacuum comes in between.
        await Database.ExecuteAsync("insert into pgmq.q_q (vt, message) select now(), to_jsonb(n) from generate_series(1, 30000) n");
        var transaction = await connection.BeginTransactionAsync();
        Assert.Equal(20L, await command.ExecuteScalarAsync());
        command.CommandText =
            "select concat_ws(' ', seq_tup_read, idx_tup_fetch < 100) from pg_stat_xact_user_tables where relid = 'pgmq.q_q'::regclass";
        Assert.Equal("0 t", await command.ExecuteScalarAsync());
        await transaction.CommitAsync();

        // The same holds for what is acknowledged.
        command.CommandText = "select acks from functions_private.acknowledge_batches('q', array[gen_random_uuid()], array[1])";
        await command.ExecuteNonQueryAsync();
        var (leases, ids) = await LeasedAsync();
        command.CommandText = "select sum(acks) from functions_private.acknowledge_batches('q', $1, $2)";
        command.Parameters.AddWithValue(leases);
        command.Parameters.AddWithValue(ids);
        await using (await connection.BeginTransactionAsync())
        {
            Assert.Equal(20m, await command.ExecuteScalarAsync());
            command.Parameters.Clear();
            command.CommandText =
                "select concat_ws(' ', seq_tup_read, idx_tup_fetch < 100) from pg_stat_xact_user_tables where relid = 'pgmq.q_q'::regclass";
            Assert.Equal("0 t", await command.ExecuteScalarAsync());
        }
    }

    [Fact]
    public async Task A_session_that_claims_from_very_many_queues_keeps_few_statements()
    {
        await Database.ExecuteAsync(
            """
            select functions.create_queue('many' || n), functions.consume_queue('many' || n, 'f', '{"role": "service_role"}'),
                pgmq.send('many' || n, '1') from generate_series(1, 100) n
            """
        );
        await using var connection = await Database.Owner.OpenConnectionAsync();
        for (var round = 0; round < 2; round++)
        {
            await using var claim = new NpgsqlCommand(
                $"""
                select sum(m.n) from generate_series(1, 100) g cross join lateral (
                    select count(*) as n from functions_private.claim_messages('many' || g, '{Mine}', 1, null, true)) m
                """,
                connection
            );
            Assert.Equal(round == 0 ? 100m : 0m, await claim.ExecuteScalarAsync());
        }
        await using var statements = new NpgsqlCommand("select count(*) from pg_prepared_statements where from_sql", connection);
        Assert.Equal(64L, await statements.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_sidecar_that_stays_waiting_is_notified_of_each_message_and_told_to_look_again_if_it_was_not_recorded()
    {
        const string Waits = "select coalesce(string_agg(xmin::text, ','), '') from functions_private.queue_waits";
        var claim =
            $"select coalesce(string_agg(coalesce(msg_id::text, 'again in ' || wait_ms), ', ' order by number), '') from functions_private.claim_messages('q', '{Mine}', 8, null, true, true)";
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2']::jsonb[])");

        Assert.Equal("1, 2, again in 0", await Database.ScalarAsync<string>(claim));
        var recorded = await Database.ScalarAsync<string>(Waits);
        Assert.NotEmpty(recorded);
        Assert.Equal("", await Database.ScalarAsync<string>(claim));
        await Database.ExecuteAsync("select pgmq.send('q', '3')");
        Assert.Equal("3", await Database.ScalarAsync<string>(claim));
        Assert.Equal(recorded, await Database.ScalarAsync<string>(Waits));

        // One that does not stay waiting is not notified while it finds messages.
        await Database.ExecuteAsync("select pgmq.send('q', '4')");
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Mine));
        Assert.Empty(await Database.ScalarAsync<string>(Waits));
    }

    [Fact]
    public async Task A_queue_that_was_dropped_and_created_again_is_claimed_by_the_same_session()
    {
        await using var connection = await Database.Owner.OpenConnectionAsync();
        await using var claim = new NpgsqlCommand(
            $"select count(*) from functions_private.claim_messages('q', '{Mine}', 1, null, true)",
            connection
        );
        for (var round = 0; round < 3; round++)
        {
            await ConsumeAsync("""{"role": "service_role"}""");
            await Database.ExecuteAsync("select pgmq.send('q', '1')");
            Assert.Equal(1L, await claim.ExecuteScalarAsync());
            await Database.ExecuteAsync("select functions.drop_queue('q'); select functions.create_queue('q')");
        }
    }

    [Theory]
    [InlineData("select functions.stop_consuming('q')")]
    [InlineData("select functions.drop_queue('q')")]
    public async Task A_consumer_is_stopped_while_messages_are_claimed_and_finished(string statement)
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        Assert.Equal(Guid.Empty, await ClaimAsync(Mine)); // it waits from here on
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2']::jsonb[])");
        var lease = await ClaimAsync(Other);
        await using var working = await Database.Owner.OpenConnectionAsync();
        await using var claim = new NpgsqlCommand("begin; select from pgmq.q_q for update", working);
        await claim.ExecuteNonQueryAsync();
        var stopping = Database.ExecuteAsync(statement);
        await Eventually.HoldsAsync(() =>
            Database.ScalarAsync<bool>("select exists (select from pg_locks l where l.relation = 'pgmq.q_q'::regclass and not l.granted)")
        );
        claim.CommandText = $"""
            select count(*) from functions_private.claim_messages('q', '{Mine}', 1, null);
            {(
                statement.Contains("stop", StringComparison.Ordinal)
                    ? $"select functions_private.finish_batch('{lease}', array[1], null, null, null, 0, null, null);"
                    : ""
            )}
            commit
            """;
        await claim.ExecuteNonQueryAsync();
        await stopping;
        Assert.Equal(0, await Database.ScalarAsync<long>("select count(*) from functions_private.queue_consumers"));
    }

    private async Task<(Guid[] Leases, long[] Messages)> LeasedAsync()
    {
        await using var command = Database.Owner.CreateCommand(
            """
            select array_agg(distinct b.id), array_agg(m.id)
            from functions_private.queue_batches b cross join lateral unnest(b.msg_ids) m (id)
            """
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetFieldValue<Guid[]>(0), reader.GetFieldValue<long[]>(1));
    }
}
