namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>Leases of messages, and their fencing.</summary>
public sealed class QueueLeaseTests : QueueDatabaseTests
{
    [Fact]
    public async Task An_outcome_counts_only_while_its_lease_is_held_and_only_for_messages_that_nobody_else_took()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 3}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        var lease = await ClaimAsync(Mine);
        // One of the messages is taken by another reader, as after the end of the lease.
        await Database.ExecuteAsync("update pgmq.q_q set vt = now() where msg_id = 2; select pgmq.read('q', 60, 1)");

        Assert.Equal("1,1,0", await FinishAsync(lease, "array[1, 2]", "array[3]"));
        Assert.Equal(
            "2:2 3:1",
            await Database.ScalarAsync<string>("select string_agg(msg_id || ':' || read_ct, ' ' order by msg_id) from pgmq.q_q")
        );
        Assert.Null(await FinishAsync(lease, "array[2, 3]", "array[]::bigint[]"));
        Assert.Equal(2, await Database.ScalarAsync<long>("select count(*) from pgmq.q_q"));
    }

    [Fact]
    public async Task Messages_of_a_sidecar_that_is_gone_are_released_and_it_can_not_finish_them_afterwards()
    {
        await ConsumeAsync("""{"role": "service_role"}""");
        await Database.ExecuteAsync(
            $"insert into functions_private.sidecars (id, engine, host) values ('{Mine}', 'e', 'h'); select pgmq.send('q', '1')"
        );
        var lease = await ClaimAsync(Mine);
        Assert.Equal(0, await Database.ScalarAsync<long>($"select count(*) from functions_private.release_batches('{Other}')"));
        Assert.Equal(Guid.Empty, await ClaimAsync(Other));

        await Database.ExecuteAsync("update functions_private.sidecars set seen_at = now() - interval '16 seconds'");
        Assert.Equal("q", await Database.ScalarAsync<string>($"select functions_private.release_batches('{Other}')"));
        Assert.NotEqual(Guid.Empty, await ClaimAsync(Other));
        Assert.Null(await FinishAsync(lease, "array[1]", "array[]::bigint[]"));
        Assert.Equal(2, await Database.ScalarAsync<int>("select read_ct from pgmq.q_q"));
    }

    [Fact]
    public async Task Released_messages_do_not_count_the_attempt_and_extended_leases_stay_hidden()
    {
        await ConsumeAsync("""{"role": "service_role", "visibility": 600}""");
        await Database.ExecuteAsync("select pgmq.send('q', '1')");
        var lease = await ClaimAsync(Mine);
        await Database.ExecuteAsync($"update pgmq.q_q set vt = now(); select functions_private.extend_batches(array['{lease}']::uuid[])");
        Assert.True(await Database.ScalarAsync<bool>("select vt > now() + interval '5 minutes' from pgmq.q_q"));
        await Database.ExecuteAsync($"select functions_private.finish_batch('{lease}', null, null, null, array[1], 0, null, null)");
        Assert.Equal(
            "0 True",
            await Database.ScalarAsync<string>("select read_ct || ' ' || initcap((vt <= clock_timestamp())::text) from pgmq.q_q")
        );
    }

    [Fact]
    public async Task Batches_that_share_a_lease_end_one_by_one_and_the_lease_ends_with_the_last()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "retry_delay": 600}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3', '4', '5']::jsonb[])");
        var lease = Assert.Single(await ClaimSharedAsync(Mine, 5));

        Assert.Equal(2, await AcknowledgeAsync(lease, 1, 2));
        Assert.Equal("0,1,0", await FinishAsync(lease, "array[]::bigint[]", "array[3]"));
        Assert.Equal("{4,5}", await RemainingAsync(lease));
        Assert.Equal(2, await Database.ScalarAsync<long>("select in_flight from functions.queues where name = 'q'"));
        // An outcome that is reported again, because its answer was lost, changes nothing.
        Assert.Equal(0, await AcknowledgeAsync(lease, 1));
        Assert.Null(await FinishAsync(lease, "array[]::bigint[]", "array[3]"));

        Assert.Equal(1, await AcknowledgeAsync(lease, 4));
        Assert.Equal("1,0,0", await FinishAsync(lease, "array[5]", "array[]::bigint[]"));
        Assert.Null(await AcknowledgeAsync(lease, 5));
        Assert.Equal(0, await Database.ScalarAsync<long>("select count(*) from functions_private.queue_batches"));
        Assert.Equal("3", await Database.ScalarAsync<string>("select string_agg(msg_id::text, ',') from pgmq.q_q"));
    }

    [Fact]
    public async Task A_release_that_is_repeated_does_not_take_a_message_from_the_next_claim()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2']::jsonb[])");
        var lease = Assert.Single(await ClaimSharedAsync(Mine, 2));
        const string release = "select functions_private.finish_batch('{0}', null, null, null, array[1], 0, null, null)";
        await Database.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, release, lease));
        Assert.Single(await ClaimSharedAsync(Other, 2)); // message 1; its read_ct is what it was before
        await Database.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, release, lease));
        Assert.Equal(0, await AcknowledgeAsync(lease, 1));
        Assert.Equal(
            "1:1:t 2:1:t",
            await Database.ScalarAsync<string>(
                "select string_agg(format('%s:%s:%s', msg_id, read_ct, vt > clock_timestamp()), ' ' order by msg_id) from pgmq.q_q"
            )
        );
    }

    [Fact]
    public async Task Of_a_shared_lease_only_what_is_not_finished_is_released_and_extended()
    {
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "visibility": 600}""");
        await Database.ExecuteAsync("select pgmq.send_batch('q', array['1', '2', '3']::jsonb[])");
        var lease = Assert.Single(await ClaimSharedAsync(Mine, 3));
        await FinishAsync(lease, "array[]::bigint[]", "array[2]"); // it is retried in a second
        await AcknowledgeAsync(lease, 1);
        await Database.ExecuteAsync($"select functions_private.extend_batches(array['{lease}']::uuid[])");
        Assert.Equal("3", await HiddenAsync("5 minutes"));

        // The sidecar has no heartbeat.
        await Database.ExecuteAsync("update pgmq.q_q set vt = vt + interval '1 hour' where msg_id = 2");
        Assert.Equal("q", await Database.ScalarAsync<string>($"select functions_private.release_batches('{Other}')"));
        Assert.Equal("2", await HiddenAsync("1 minute"));
        Assert.Null(await AcknowledgeAsync(lease, 3));
    }

    [Fact]
    public async Task Leases_are_shared_by_small_batches_only_and_not_where_the_consumer_has_a_concurrency()
    {
        await Database.ExecuteAsync("select pgmq.send_batch('q', array_agg(to_jsonb(n))) from generate_series(1, 400) n");
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1}""");
        Assert.Equal(2, (await ClaimSharedAsync(Mine, 100)).Count);
        await ConsumeAsync("""{"role": "service_role", "batch_size": 100}""");
        Assert.Equal(2, (await ClaimSharedAsync(Mine, 2)).Count);
        // The messages that were leased before count, though their leases are shared.
        await ConsumeAsync("""{"role": "service_role", "batch_size": 1, "concurrency": 303}""");
        Assert.Equal(3, (await ClaimSharedAsync(Mine, 10)).Count);
    }

    /// <summary>The leases of a claim as sidecars make it.</summary>
    private async Task<List<Guid>> ClaimSharedAsync(Guid sidecar, int batches)
    {
        await using var command = Database.Owner.CreateCommand(
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
        await using var command = Database.Owner.CreateCommand("select acks from functions_private.acknowledge_batches('q', $1, $2)");
        command.Parameters.AddWithValue(new[] { lease });
        command.Parameters.AddWithValue(messages);
        return await command.ExecuteScalarAsync() as long?;
    }

    private Task<string> RemainingAsync(Guid lease) =>
        Database.ScalarAsync<string>($"select msg_ids::text from functions_private.queue_batches where id = '{lease}'");

    private Task<string> HiddenAsync(string longer) =>
        Database.ScalarAsync<string>(
            $"select string_agg(msg_id::text, ',' order by msg_id) from pgmq.q_q where vt > clock_timestamp() + interval '{longer}'"
        );
}
