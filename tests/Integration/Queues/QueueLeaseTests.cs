using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>Leases of messages, their fencing, and whose code takes messages.</summary>
public sealed class QueueLeaseTests : IAsyncLifetime
{
    private static readonly Guid Mine = Guid.CreateVersion7();
    private static readonly Guid Other = Guid.CreateVersion7();

    private TestDatabase database = null!;

    public async ValueTask InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("insert into functions_private.functions (name) values ('f'); select functions.create_queue('q')");
    }

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Fact]
    public async Task An_outcome_counts_only_while_its_lease_is_held_and_only_for_messages_that_nobody_else_took()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 3}""");
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        var lease = await ClaimAsync(Mine);
        // One of the messages is taken by another reader, as after the end of the lease.
        await database.ExecuteAsync("update pgmq.q_q set vt = now() where msg_id = 2; select pgmq.read('q', 60, 1)");

        Assert.Equal("1,1,0", await FinishAsync(lease, "array[1, 2]", "array[3]"));
        Assert.Equal(
            "2:2 3:1",
            await database.ScalarAsync<string>("select string_agg(msg_id || ':' || read_ct, ' ' order by msg_id) from pgmq.q_q")
        );
        Assert.Null(await FinishAsync(lease, "array[2, 3]", "array[]::bigint[]"));
        Assert.Equal(2, await database.ScalarAsync<long>("select count(*) from pgmq.q_q"));
    }

    [Fact]
    public async Task Messages_of_a_sidecar_that_is_gone_are_released_and_it_can_not_finish_them_afterwards()
    {
        await ConsumeAsync("""{"role": "service_role"}""");
        await database.ExecuteAsync(
            $"insert into functions_private.sidecars (id, engine, host) values ('{Mine}', 'e', 'h'); select pgmq.send('q', '1')"
        );
        var lease = await ClaimAsync(Mine);
        Assert.Equal(0, await database.ScalarAsync<long>($"select count(*) from functions_private.release_batches('{Other}')"));
        Assert.Equal(Guid.Empty, await ClaimAsync(Other));

        await database.ExecuteAsync("update functions_private.sidecars set seen_at = now() - interval '16 seconds'");
        Assert.Equal("q", await database.ScalarAsync<string>($"select functions_private.release_batches('{Other}')"));
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Other));
        Assert.Null(await FinishAsync(lease, "array[1]", "array[]::bigint[]"));
        Assert.Equal(2, await database.ScalarAsync<int>("select read_ct from pgmq.q_q"));
    }

    [Fact]
    public async Task Released_messages_do_not_count_the_attempt_and_extended_leases_stay_hidden()
    {
        await ConsumeAsync("""{"role": "service_role", "visibility": 600}""");
        await database.ExecuteAsync("select pgmq.send('q', '1')");
        var lease = await ClaimAsync(Mine);
        await database.ExecuteAsync($"update pgmq.q_q set vt = now(); select functions_private.extend_batches(array['{lease}']::uuid[])");
        Assert.True(await database.ScalarAsync<bool>("select vt > now() + interval '5 minutes' from pgmq.q_q"));
        await database.ExecuteAsync($"select functions_private.finish_batch('{lease}', null, null, null, array[1], 0, null, null)");
        Assert.Equal(
            "0 True",
            await database.ScalarAsync<string>("select read_ct || ' ' || initcap((vt <= clock_timestamp())::text) from pgmq.q_q")
        );
    }

    [Fact]
    public async Task Batches_that_share_a_lease_end_one_by_one_and_the_lease_ends_with_the_last()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "retry_delay": 600}""");
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3', '4', '5']::jsonb[])");
        var lease = Assert.Single(await ClaimSharedAsync(Mine, 5));

        Assert.Equal(2, await AcknowledgeAsync(lease, 1, 2));
        Assert.Equal("0,1,0", await FinishAsync(lease, "array[]::bigint[]", "array[3]"));
        Assert.Equal("{4,5}", await RemainingAsync(lease));
        Assert.Equal(2, await database.ScalarAsync<long>("select in_flight from functions.queues where name = 'q'"));
        // An outcome that is reported again, because its answer was lost, changes nothing.
        Assert.Equal(0, await AcknowledgeAsync(lease, 1));
        Assert.Null(await FinishAsync(lease, "array[]::bigint[]", "array[3]"));

        Assert.Equal(1, await AcknowledgeAsync(lease, 4));
        Assert.Equal("1,0,0", await FinishAsync(lease, "array[5]", "array[]::bigint[]"));
        Assert.Null(await AcknowledgeAsync(lease, 5));
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions_private.queue_batches"));
        Assert.Equal("3", await database.ScalarAsync<string>("select string_agg(msg_id::text, ',') from pgmq.q_q"));
    }

    [Fact]
    public async Task A_release_that_is_repeated_does_not_take_a_message_from_the_next_claim()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2']::jsonb[])");
        var lease = Assert.Single(await ClaimSharedAsync(Mine, 2));
        const string release = "select functions_private.finish_batch('{0}', null, null, null, array[1], 0, null, null)";
        await database.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, release, lease));
        Assert.Single(await ClaimSharedAsync(Other, 2)); // message 1; its read_ct is what it was before
        await database.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, release, lease));
        Assert.Equal(0, await AcknowledgeAsync(lease, 1));
        Assert.Equal(
            "1:1:t 2:1:t",
            await database.ScalarAsync<string>(
                "select string_agg(format('%s:%s:%s', msg_id, read_ct, vt > clock_timestamp()), ' ' order by msg_id) from pgmq.q_q"
            )
        );
    }

    [Fact]
    public async Task Of_a_shared_lease_only_what_is_not_finished_is_released_and_extended()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "visibility": 600}""");
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        var lease = Assert.Single(await ClaimSharedAsync(Mine, 3));
        await FinishAsync(lease, "array[]::bigint[]", "array[2]"); // it is retried in a second
        await AcknowledgeAsync(lease, 1);
        await database.ExecuteAsync($"select functions_private.extend_batches(array['{lease}']::uuid[])");
        Assert.Equal("3", await HiddenAsync("5 minutes"));

        // The sidecar has no heartbeat.
        await database.ExecuteAsync("update pgmq.q_q set vt = vt + interval '1 hour' where msg_id = 2");
        Assert.Equal("q", await database.ScalarAsync<string>($"select functions_private.release_batches('{Other}')"));
        Assert.Equal("2", await HiddenAsync("1 minute"));
        Assert.Null(await AcknowledgeAsync(lease, 3));
    }

    [Fact]
    public async Task Leases_are_shared_by_small_batches_only_and_not_where_the_consumer_has_a_concurrency()
    {
        await database.ExecuteAsync("select pgmq.send_batch('q', array_agg(to_jsonb(n))) from generate_series(1, 400) n");
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        Assert.Equal(2, (await ClaimSharedAsync(Mine, 100)).Count);
        await ConsumeAsync("""{"role": "service_role", "batch_size": 100}""");
        Assert.Equal(2, (await ClaimSharedAsync(Mine, 2)).Count);
        // The messages that were leased before count, though their leases are shared.
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "concurrency": 303}""");
        Assert.Equal(3, (await ClaimSharedAsync(Mine, 10)).Count);
    }

    [Fact]
    public async Task No_more_batches_are_leased_than_the_consumers_concurrency()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "concurrency": 2}""");
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        var first = await ClaimAsync(Mine);
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Other));
        Assert.Equal(Guid.Empty, await ClaimAsync(Other));
        await FinishAsync(first, "array[1]", "array[]::bigint[]");
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Other));
    }

    [Fact]
    public async Task Claims_at_the_same_time_give_each_message_to_one_sidecar_and_keep_the_order_of_groups()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 2, "ordered": true}""");
        await database.ExecuteAsync(
            """select pgmq.send('q', to_jsonb(n), jsonb_build_object('x-pgmq-group', n % 20)) from generate_series(1, 400) n"""
        );
        var taken = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(_ =>
                    database.ScalarAsync<string>(
                        $"select coalesce(string_agg(msg_id::text, ','), '') from functions_private.claim_messages('q', '{Mine}', 2, null)"
                    )
                )
        );
        var ids = taken.SelectMany(list => list.Split(',', StringSplitOptions.RemoveEmptyEntries)).Select(long.Parse).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        // The first messages of each group, without gaps.
        Assert.True(
            await database.ScalarAsync<bool>(
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
        await database.ExecuteAsync(
            """
            insert into pgmq.q_q (vt, message, headers) select now(), to_jsonb(n), '{"x-pgmq-group": "waits"}' from generate_series(1, 5000) n;
            insert into pgmq.q_q (vt, message, headers) select now(), to_jsonb(n), '{"x-pgmq-group": "goes"}' from generate_series(1, 3) n;
            update pgmq.q_q set vt = now() + interval '1 hour' where msg_id = 1
            """
        );
        Assert.Equal(
            "5001,5002",
            await database.ScalarAsync<string>(
                $"select string_agg(msg_id::text, ',') from functions_private.claim_messages('q', '{Mine}', 8, null)"
            )
        );
    }

    [Fact]
    public async Task Groups_fill_batches_and_a_group_stays_in_one_batch()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 4, "ordered": true}""");
        await database.ExecuteAsync(
            """
            select pgmq.send('q', to_jsonb(n), jsonb_build_object('x-pgmq-group', n / 100))
            from unnest(array[101, 102, 201, 202, 203, 204, 205, 301, 401, 402]) n
            """
        );
        var batches = await database.ScalarAsync<string>(
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
        await database.ExecuteAsync(
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
        await database.ExecuteAsync("analyze pgmq.q_q");
        await using var connection = await database.Owner.OpenConnectionAsync();
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
        await database.ExecuteAsync("vacuum analyze pgmq.q_q");
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(
            $"select count(*) from functions_private.claim_messages('q', '{Mine}', 2, null, true)",
            connection
        );
        Assert.Equal(0L, await command.ExecuteScalarAsync()); // its statement is planned now
        // No statistics are made of these before the next claim, unless autovacuum comes in between.
        await database.ExecuteAsync("insert into pgmq.q_q (vt, message) select now(), to_jsonb(n) from generate_series(1, 30000) n");
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
        await database.ExecuteAsync(
            """
            select functions.create_queue('many' || n), functions.consume_queue('many' || n, 'f', '{"role": "service_role"}'),
                pgmq.send('many' || n, '1') from generate_series(1, 100) n
            """
        );
        await using var connection = await database.Owner.OpenConnectionAsync();
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
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2']::jsonb[])");

        Assert.Equal("1, 2, again in 0", await database.ScalarAsync<string>(claim));
        var recorded = await database.ScalarAsync<string>(Waits);
        Assert.NotEmpty(recorded);
        Assert.Equal("", await database.ScalarAsync<string>(claim));
        await database.ExecuteAsync("select pgmq.send('q', '3')");
        Assert.Equal("3", await database.ScalarAsync<string>(claim));
        Assert.Equal(recorded, await database.ScalarAsync<string>(Waits));

        // One that does not stay waiting is not notified while it finds messages.
        await database.ExecuteAsync("select pgmq.send('q', '4')");
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Mine));
        Assert.Empty(await database.ScalarAsync<string>(Waits));
    }

    [Fact]
    public async Task A_queue_that_was_dropped_and_created_again_is_claimed_by_the_same_session()
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var claim = new NpgsqlCommand(
            $"select count(*) from functions_private.claim_messages('q', '{Mine}', 1, null, true)",
            connection
        );
        for (var round = 0; round < 3; round++)
        {
            await ConsumeAsync("""{"role": "service_role"}""");
            await database.ExecuteAsync("select pgmq.send('q', '1')");
            Assert.Equal(1L, await claim.ExecuteScalarAsync());
            await database.ExecuteAsync("select functions.drop_queue('q'); select functions.create_queue('q')");
        }
    }

    [Fact]
    public async Task A_queue_whose_tables_belong_to_another_role_is_not_consumed()
    {
        await database.ExecuteAsync(
            """
            do $$ begin create role queue_owner; exception when duplicate_object or unique_violation then null; end $$;
            grant create on schema pgmq to queue_owner; select pgmq.create('theirs'); alter table pgmq.q_theirs owner to queue_owner;
            """
        );
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("""select functions.consume_queue('theirs', 'f', '{"role": "service_role"}')""")
        );
        Assert.Equal((PostgresErrorCodes.InsufficientPrivilege, "alter table pgmq.q_theirs owner to"), (error.SqlState, error.Hint?[..34]));
        await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("""select functions.consume_queue('q', 'f', '{"role": "service_role", "dead_letter_queue": "theirs"}')""")
        );
    }

    [Theory]
    [InlineData("create schema pgmq authorization anon")]
    [InlineData(
        "create schema pgmq authorization anon; comment on schema pgmq is 'Functions.PgSidecar: message queues, with the API of the extension pgmq 1.13.'"
    )]
    public async Task A_schema_of_another_role_is_left_alone_and_none_of_its_code_runs(string creation)
    {
        await using var empty = await TestDatabase.CreateEmptyAsync();
        await empty.ExecuteAsync(
            $"""
            do $$ begin create role anon nologin noinherit; exception when duplicate_object or unique_violation then null; end $$;
            {creation};
            create table stolen (who name); grant all on stolen to public;
            create table pgmq.meta (queue_name varchar, is_partitioned bool, is_unlogged bool, created_at timestamptz);
            create function pgmq.create(queue_name text) returns void language sql as 'insert into public.stolen values (current_user)';
            create function pgmq.format_table_name(queue_name text, prefix text) returns text language sql as 'insert into public.stolen values (current_user) returning ''q_x''';
            """
        );
        var report = await Migrator.ApplyAsync(empty.Owner, TestContext.Current.CancellationToken);
        Assert.Contains(report.Warnings, warning => warning.StartsWith("There are no queues in this database", StringComparison.Ordinal));
        await empty.ExecuteAsync("insert into functions_private.functions (name) values ('f')");
        var error = await Assert.ThrowsAsync<PostgresException>(() => empty.ExecuteAsync("select functions.create_queue('q')"));
        Assert.Equal(PostgresErrorCodes.ObjectNotInPrerequisiteState, error.SqlState);
        await Assert.ThrowsAsync<PostgresException>(() =>
            empty.ExecuteAsync("""select functions.consume_queue('q', 'f', '{"role": "service_role"}')""")
        );
        await empty.ExecuteAsync("select * from functions.queues");
        Assert.Equal(0, await empty.ScalarAsync<long>("select count(*) from stolen"));
        Assert.Equal(2, await empty.ScalarAsync<long>("select count(*) from pg_proc where pronamespace = 'pgmq'::regnamespace"));
    }

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
    public async Task Without_messages_the_schema_is_uninstalled_and_with_messages_it_stays_unless_asked()
    {
        await database.ExecuteAsync("select pgmq.send('q', '1')");
        Assert.Equal(
            "dropped schema pgmq_public, kept schema pgmq: 1 of its tables have messages; to drop them: drop schema pgmq cascade;",
            await UninstalledAsync("false")
        );
        Assert.Equal("dropped schema pgmq_public, dropped schema pgmq", await UninstalledAsync("true"));
        await database.ExecuteAsync("select pgmq.purge_queue('q')");
        Assert.Equal("dropped schema pgmq_public, dropped schema pgmq", await UninstalledAsync("false"));
    }

    [Fact]
    public async Task A_kept_schema_is_taken_over_again_by_the_next_installation()
    {
        await database.ExecuteAsync("select pgmq.send('q', '1'); select functions.uninstall()");
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from pgmq.read('q', 0, 1)"));
        await Migrator.ApplyAsync(database.Owner, TestContext.Current.CancellationToken);
        Assert.Equal(1, await database.ScalarAsync<long>("select depth from functions.queues where name = 'q'"));
    }

    [Theory]
    [InlineData("select functions.stop_consuming('q')")]
    [InlineData("select functions.drop_queue('q')")]
    public async Task A_consumer_is_stopped_while_messages_are_claimed_and_finished(string statement)
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        Assert.Equal(Guid.Empty, await ClaimAsync(Mine)); // it waits from here on
        await database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2']::jsonb[])");
        var lease = await ClaimAsync(Other);
        await using var working = await database.Owner.OpenConnectionAsync();
        await using var claim = new NpgsqlCommand("begin; select from pgmq.q_q for update", working);
        await claim.ExecuteNonQueryAsync();
        var stopping = database.ExecuteAsync(statement);
        await Eventually.HoldsAsync(() =>
            database.ScalarAsync<bool>("select exists (select from pg_locks l where l.relation = 'pgmq.q_q'::regclass and not l.granted)")
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
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions_private.queue_consumers"));
    }

    [Theory]
    [InlineData("deliver", "active", 1)]
    [InlineData("discard", "not consumed", 0)]
    public async Task In_a_copy_nothing_is_consumed_until_it_is_adopted(string adoption, string state, int taken)
    {
        await ConsumeAsync("""{"role": "service_role"}""");
        await database.ExecuteAsync("select pgmq.send('q', '1'); select functions_private.initialize_copy('another server', 1, 'hold')");
        Assert.Equal("held", await database.ScalarAsync<string>("select state from functions.queues where name = 'q'"));
        Assert.Equal(Guid.Empty, await ClaimAsync(Mine));

        await database.ExecuteAsync($"select functions.adopt('{adoption}')");
        Assert.Equal(state, await database.ScalarAsync<string>("select state from functions.queues where name = 'q'"));
        Assert.Equal(taken == 1, await ClaimAsync(Mine) != Guid.Empty);
        Assert.Equal(1, await database.ScalarAsync<long>("select count(*) from pgmq.q_q"));
    }

    private async Task<string> UninstalledAsync(string dropMessages)
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync(); // rolled back
        await using var command = new NpgsqlCommand(
            $"select string_agg(d, ', ') from functions_private.uninstall_queues({dropMessages}) d",
            connection
        );
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private Task ConsumeAsync(string options) => database.ExecuteAsync($"select functions.consume_queue('q', 'f', '{options}')");

    private async Task<Guid> ClaimAsync(Guid sidecar)
    {
        await using var command = database.Owner.CreateCommand(
            $"select batch from functions_private.claim_messages('q', '{sidecar}', 1, null) limit 1"
        );
        return await command.ExecuteScalarAsync() is Guid lease ? lease : Guid.Empty;
    }

    /// <summary>The leases of a claim as sidecars make it.</summary>
    private async Task<List<Guid>> ClaimSharedAsync(Guid sidecar, int batches)
    {
        await using var command = database.Owner.CreateCommand(
            $"select distinct batch from functions_private.claim_messages('q', '{sidecar}', {batches}, null, true)"
        );
        await using var reader = await command.ExecuteReaderAsync();
        var leases = new List<Guid>();
        while (await reader.ReadAsync())
            leases.Add(reader.GetGuid(0));
        return leases;
    }

    /// <summary>How many messages were acknowledged; null if the lease was lost.</summary>
    private async Task<long?> AcknowledgeAsync(Guid lease, params long[] messages)
    {
        await using var command = database.Owner.CreateCommand("select acks from functions_private.acknowledge_batches('q', $1, $2)");
        command.Parameters.AddWithValue(new[] { lease });
        command.Parameters.AddWithValue(messages);
        return await command.ExecuteScalarAsync() as long?;
    }

    private async Task<(Guid[] Leases, long[] Messages)> LeasedAsync()
    {
        await using var command = database.Owner.CreateCommand(
            """
            select array_agg(distinct b.id), array_agg(m.id)
            from functions_private.queue_batches b cross join lateral unnest(b.msg_ids) m (id)
            """
        );
        await using var reader = await command.ExecuteReaderAsync();
        await reader.ReadAsync();
        return (reader.GetFieldValue<Guid[]>(0), reader.GetFieldValue<long[]>(1));
    }

    private Task<string> RemainingAsync(Guid lease) =>
        database.ScalarAsync<string>($"select msg_ids::text from functions_private.queue_batches where id = '{lease}'");

    private Task<string> HiddenAsync(string longer) =>
        database.ScalarAsync<string>(
            $"select string_agg(msg_id::text, ',' order by msg_id) from pgmq.q_q where vt > clock_timestamp() + interval '{longer}'"
        );

    /// <summary>The three counts; null if the lease was lost.</summary>
    private async Task<string?> FinishAsync(Guid lease, string acknowledged, string retried)
    {
        await using var command = database.Owner.CreateCommand(
            $"select acks || ',' || retries || ',' || dead from functions_private.finish_batch('{lease}', {acknowledged}, {retried}, array_fill(null::int, array[cardinality({retried})]), null, 0, 'E', 'm')"
        );
        return await command.ExecuteScalarAsync() as string;
    }
}
