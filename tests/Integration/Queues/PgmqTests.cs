using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Queues;

/// <summary>The schema <c>pgmq</c> that the sidecar makes has the functions of pgmq, with their results and errors.</summary>
public sealed class PgmqTests : IAsyncLifetime
{
    private TestDatabase database = null!;

    public async ValueTask InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async ValueTask DisposeAsync() => await database.DisposeAsync();

    [Fact]
    public async Task Messages_are_sent_read_hidden_and_deleted()
    {
        await database.ExecuteAsync("select pgmq.create('Work-1'); select pgmq.create('Work-1')");
        Assert.Equal("1", await ValueAsync("select pgmq.send('Work-1', '{\"n\": 1}')"));
        Assert.Equal("2", await ValueAsync("select pgmq.send('Work-1', '{\"n\": 2}', '{\"h\": 1}'::jsonb)"));
        Assert.Equal("3", await ValueAsync("select pgmq.send('Work-1', '{\"n\": 3}', 3600)"));
        Assert.Equal("4", await ValueAsync("select pgmq.send('Work-1', '{\"n\": 4}', now() + interval '1 hour')"));
        Assert.Equal("5", await ValueAsync("select pgmq.send('Work-1', null::jsonb, '{}'::jsonb, 3600)"));
        Assert.Equal("6", await ValueAsync("select pgmq.send(queue_name => 'Work-1', msg => '6', headers => '{}', delay => now())"));
        Assert.Equal("7,8", await ValueAsync("select string_agg(i::text, ',') from pgmq.send_batch('Work-1', array['7', '8']::jsonb[]) i"));
        Assert.Equal(
            "1:1:,2:1:1,6:1:,7:1:,8:1:",
            await ValueAsync(
                "select string_agg(concat_ws(':', msg_id, read_ct, coalesce(headers ->> 'h', '')), ',') from pgmq.read('Work-1', 30, 10)"
            )
        );
        Assert.Equal("0", await ValueAsync("select count(*) from pgmq.read('Work-1', 30, 10)"));
        Assert.Equal("2", await ValueAsync("select msg_id from pgmq.set_vt('Work-1', 2, 0)"));
        Assert.Equal("2", await ValueAsync("select read_ct from pgmq.read('Work-1', 0, 1, '{\"n\": 2}')"));
        Assert.Equal("True", await ValueAsync("select pgmq.delete('Work-1', 1)"));
        Assert.Equal("False", await ValueAsync("select pgmq.delete('Work-1', 1)"));
        Assert.Equal("2", await ValueAsync("select string_agg(i::text, ',') from pgmq.archive('Work-1', array[1, 2]) i"));
        Assert.Equal("True", await ValueAsync("select pgmq.archive('Work-1', 6)"));
        Assert.Equal(
            "2,6",
            await ValueAsync("select string_agg(msg_id::text, ',' order by msg_id) from pgmq.\"a_work-1\" where archived_at is not null")
        );
        Assert.Equal(
            "7,8",
            await ValueAsync("select string_agg(msg_id::text, ',' order by msg_id) from pgmq.set_vt('Work-1', array[7, 8], now())")
        );
        Assert.Equal("7", await ValueAsync("select msg_id from pgmq.pop('Work-1')"));
        Assert.Equal(
            "4:1:8",
            await ValueAsync("select concat_ws(':', queue_length, queue_visible_length, total_messages) from pgmq.metrics('Work-1')")
        );
        Assert.Equal("4", await ValueAsync("select pgmq.purge_queue('Work-1')"));
        Assert.Equal(
            "Work-1:false",
            await ValueAsync("select queue_name || ':' || is_unlogged from pgmq.list_queues() where queue_name <> 'default'")
        );
        Assert.Equal("True", await ValueAsync("select pgmq.drop_queue('Work-1')"));
        Assert.Equal("False", await ValueAsync("select pgmq.drop_queue('Work-1')"));
    }

    [Fact]
    public async Task Poll_returns_a_message_that_becomes_visible_meanwhile_and_gives_up_after_its_time()
    {
        await database.ExecuteAsync("select pgmq.create('q'); select pgmq.send('q', '1', 1)");
        Assert.Equal("1", await ValueAsync("select msg_id from pgmq.read_with_poll('q', 30, 1, 60, 50)"));
        Assert.Equal("0", await ValueAsync("select count(*) from pgmq.read_with_poll('q', 30, 1, 1, 50)"));
    }

    [Fact]
    public async Task Groups_are_read_in_their_three_orders()
    {
        await database.ExecuteAsync(
            """
            select pgmq.create('q');
            select pgmq.send('q', to_jsonb(g || n), case when g <> 'x' then jsonb_build_object('x-pgmq-group', g) end)
            from (values ('a', 1), ('a', 2), ('a', 3), ('b', 1), ('x', 1), ('b', 2), ('c', 1)) v (g, n);
            """
        );
        Assert.Equal("a1 a2 a3 b1 b2", await GroupsAsync("read_grouped('q', 30, 5)"));
        await database.ExecuteAsync("update pgmq.q_q set vt = now()");
        Assert.Equal("a1 b1 x1 c1 a2 b2", await GroupsAsync("read_grouped_rr('q', 30, 6)"));
        await database.ExecuteAsync("update pgmq.q_q set vt = now()");
        Assert.Equal("a1 b1 x1 c1", await GroupsAsync("read_grouped_head('q', 30, 10)"));
        Assert.Null(await GroupsAsync("read_grouped_head('q', 30, 10)"));
        Assert.Null(await GroupsAsync("read_grouped('q', 30, 10)"));
        await database.ExecuteAsync(
            "update pgmq.q_q set vt = now() where message <> '\"a2\"'; update pgmq.q_q set vt = now() + interval '1 hour' where message = '\"a2\"'"
        );
        Assert.Equal("a1 b1 b2 x1 c1", await GroupsAsync("read_grouped_with_poll('q', 30, 10, 1, 50)"));
        await database.ExecuteAsync("select pgmq.create_fifo_index('q'); select pgmq.create_fifo_indexes_all()");
    }

    [Fact]
    public async Task Topics_route_messages_by_patterns()
    {
        await database.ExecuteAsync(
            "select pgmq.create('one'), pgmq.create('two'); select pgmq.bind_topic('logs.*', 'one'), pgmq.bind_topic('logs.#', 'two'), pgmq.bind_topic('logs.#', 'two'), pgmq.bind_topic('a.b', 'one')"
        );
        Assert.Equal("2", await ValueAsync("select pgmq.send_topic('logs.error', '1')"));
        Assert.Equal("1", await ValueAsync("select pgmq.send_topic('logs.error.fatal', '2', '{\"h\": 1}', 0)"));
        Assert.Equal("0", await ValueAsync("select pgmq.send_topic('logs', '3', 5)"));
        Assert.Equal("0", await ValueAsync("select pgmq.send_topic('aXb', '3')"));
        Assert.Equal(
            "one:2 one:3 two:3 two:4",
            await ValueAsync(
                "select string_agg(queue_name || ':' || msg_id, ' ' order by queue_name, msg_id) from pgmq.send_batch_topic('logs.x', array['1', '2']::jsonb[])"
            )
        );
        Assert.Equal(
            "logs.#:two logs.*:one",
            await ValueAsync("select string_agg(pattern || ':' || queue_name, ' ') from pgmq.test_routing('logs.error')")
        );
        Assert.Equal(
            @"^logs\.[^.]+$",
            await ValueAsync("select compiled_regex from pgmq.list_topic_bindings('one') where pattern = 'logs.*'")
        );
        Assert.Equal("3", await ValueAsync("select count(*) from pgmq.list_topic_bindings()"));
        Assert.Equal("True", await ValueAsync("select pgmq.unbind_topic('logs.*', 'one')"));
        Assert.Equal("False", await ValueAsync("select pgmq.unbind_topic('logs.*', 'one')"));
        await database.ExecuteAsync("select pgmq.drop_queue('two')");
        Assert.Equal("0", await ValueAsync("select count(*) from pgmq.topic_bindings where queue_name = 'two'"));
    }

    [Theory]
    [InlineData("select pgmq.create(repeat('a', 48))", "queue name is too long, maximum length is 47 characters")]
    [InlineData("select pgmq.create('a$')", @"queue name contains invalid characters: $, ;, --, or \'")]
    [InlineData("select pgmq.delete('q where false; drop table pgmq.q_q', 1)", @"queue name contains invalid characters: $, ;, --, or \'")]
    [InlineData("select pgmq.create_partitioned('p')", "pg_partman is required for partitioned queues")]
    [InlineData("select pgmq.create_partitioned('p', premake => 0)", "premake must be at least 1, got 0")]
    [InlineData("select pgmq.send_batch('q', '{}'::jsonb[])", "msgs cannot be NULL or empty")]
    [InlineData(
        "select pgmq.send_batch('q', array['1', '2']::jsonb[], array['{}']::jsonb[])",
        "headers array length (1) must match msgs array length (2)"
    )]
    [InlineData("select pgmq.enable_notify_insert('q', -1)", "throttle_interval_ms must be non-negative")]
    [InlineData("select pgmq.enable_notify_insert('none')", "Queue \"none\" does not exist. Create it first using pgmq.create()")]
    [InlineData("select pgmq.update_notify_insert('q', -2)", "throttle_interval_ms must be non-negative, got: -2")]
    [InlineData(
        "select pgmq.update_notify_insert('q', 5)",
        "Queue \"q\" does not have notify_insert enabled. Enable it first using pgmq.enable_notify_insert()"
    )]
    [InlineData("select pgmq.bind_topic('a', 'none')", "Queue \"none\" does not exist. Create the queue first using pgmq.create()")]
    [InlineData("select pgmq.send_topic('a', null)", "msg cannot be NULL")]
    [InlineData("select pgmq.send_topic('a', '1', -1)", "delay cannot be negative, got: -1")]
    public async Task Errors_have_pgmqs_texts(string statement, string message)
    {
        await database.ExecuteAsync("select pgmq.create('q')");
        var error = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync(statement));
        Assert.Equal(message, error.MessageText);
        Assert.True(await database.ScalarAsync<bool>("select to_regclass('pgmq.q_q') is not null"));
    }

    [Theory]
    [InlineData("routing_key", "''")]
    [InlineData("routing_key", "null")]
    [InlineData("routing_key", "'.a'")]
    [InlineData("routing_key", "'a.'")]
    [InlineData("routing_key", "'a..b'")]
    [InlineData("routing_key", "'a.*'")]
    [InlineData("routing_key", "'a.(b|c)'")]
    [InlineData("routing_key", "repeat('a', 256)")]
    [InlineData("topic_pattern", "'a.**'")]
    [InlineData("topic_pattern", "'a.*#'")]
    [InlineData("topic_pattern", "'a.#*'")]
    [InlineData("topic_pattern", "'a b'")]
    [InlineData("topic_pattern", "'a$'")]
    public async Task Invalid_keys_and_patterns_are_refused(string what, string value) =>
        await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync($"select pgmq.validate_{what}({value})"));

    [Fact]
    public async Task Listeners_are_notified_of_messages_no_more_often_than_the_interval()
    {
        await database.ExecuteAsync("select pgmq.create('Cased'); select pgmq.enable_notify_insert('Cased', 3600000)");
        await using var listener = await database.Owner.OpenConnectionAsync();
        var channels = new List<string>();
        listener.Notification += (_, notification) => channels.Add(notification.Channel);
        await using (var listen = new NpgsqlCommand("listen \"pgmq.q_cased.INSERT\"", listener))
            await listen.ExecuteNonQueryAsync();
        await database.ExecuteAsync("select pgmq.send('Cased', '1')");
        await database.ExecuteAsync("select pgmq.send('Cased', '2')");
        await database.ExecuteAsync("select pgmq.update_notify_insert('Cased', 0); select pgmq.send('Cased', '3')");
        await database.ExecuteAsync("select pgmq.disable_notify_insert('Cased'); select pgmq.send('Cased', '4')");
        // Notifications arrive in the order of their commits, before the result of a later statement.
        await using (var last = new NpgsqlCommand("select 1", listener))
            await last.ExecuteNonQueryAsync();
        Assert.Equal(["pgmq.q_cased.INSERT", "pgmq.q_cased.INSERT"], channels);
        Assert.Equal("0", await ValueAsync("select count(*) from pgmq.list_notify_insert_throttles()"));
    }

    [Fact]
    public async Task A_role_that_may_only_insert_sends_where_listeners_are_notified_and_consumers_wait()
    {
        await database.ExecuteAsync(
            """
            insert into functions_private.functions (name) values ('f');
            select functions.create_queue('q', '{"send": "anon"}');
            select functions.consume_queue('q', 'f', '{"role": "service_role"}');
            select pgmq.enable_notify_insert('q');
            """
        );
        Assert.Equal("1", await ValueAsync("set role anon; select pgmq.send('q', '1')"));
        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("set role anon; select * from pgmq.read('q', 1, 1)")
        );
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, error.SqlState);
        error = await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("set role anon; select pgmq.send('default', '1')"));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, error.SqlState);
        error = await Assert.ThrowsAsync<PostgresException>(() =>
            database.ExecuteAsync("set role service_role; select pgmq.create('mine')")
        );
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, error.SqlState);
    }

    [Fact]
    public async Task Clients_of_Supabase_use_pgmq_public_with_the_rights_of_their_roles()
    {
        await database.ExecuteAsync("select functions.create_queue('q', '{\"send\": \"authenticated\", \"receive\": \"authenticated\"}')");
        const string As = "set role authenticated; ";
        Assert.Equal("1", await ValueAsync(As + "select * from pgmq_public.send(queue_name => 'q', message => '1', sleep_seconds => 0)"));
        Assert.Equal("2", await ValueAsync(As + "select count(*) from pgmq_public.send_batch('q', array['2', '3']::jsonb[])"));
        Assert.Equal("1", await ValueAsync(As + "select msg_id from pgmq_public.read(queue_name => 'q', sleep_seconds => 30, n => 1)"));
        Assert.Equal("True", await ValueAsync(As + "select pgmq_public.archive('q', 1)"));
        Assert.Equal("2", await ValueAsync(As + "select msg_id from pgmq_public.pop('q')"));
        Assert.Equal("True", await ValueAsync(As + "select pgmq_public.delete(queue_name => 'q', message_id => 3)"));
        await Assert.ThrowsAsync<PostgresException>(() => database.ExecuteAsync("set role anon; select pgmq_public.pop('q')"));
    }

    private Task<string?> GroupsAsync(string call) => ValueAsync($"select string_agg(message #>> '{{}}', ' ') from pgmq.{call}");

    private async Task<string?> ValueAsync(string sql)
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        var value = await command.ExecuteScalarAsync();
        return value is DBNull ? null : Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture);
    }
}
