using System.Globalization;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Queues;

/// <summary>Queues in a real sidecar: sending, consuming, and what becomes of messages. Each test has queues of its own.</summary>
public sealed class QueueTests(SidecarFixture sidecar)
{
    private const string Service = """{"role": "service_role"}""";

    /// <summary>A consumer that records each message.</summary>
    private const string Recording = """
        export default { async queue(batch, env, ctx) {
          for (const m of batch.messages)
            await env.DB.prepare("insert into queue_log (queue, id, attempt, body, size) values ($1, $2::text::bigint, $3, $4, $5)")
              .bind(batch.queue, m.id, m.attempts, JSON.stringify(m.body instanceof ArrayBuffer ? [...new Uint8Array(m.body)] : m.body), batch.messages.length).run();
        } };
        """;

    [Fact]
    public async Task Messages_that_a_function_sends_are_delivered_to_the_consumer_as_they_were_sent()
    {
        var queue = await QueueAsync("sent", Recording, """{"role": "service_role", "batch_timeout": 0}""");
        var sender = await SenderAsync(
            $$"""
            const Q = env.QUEUE.queue("{{queue}}");
            await Q.send({ text: "ä", list: [1, null] });
            await Q.send("plain", { contentType: "text" });
            await Q.send(new Uint8Array([0, 255]), { contentType: "bytes" });
            const answer = await Q.sendBatch([{ body: 1 }, { body: 2, delaySeconds: 1 }]);
            return answer.metadata.metrics;
            """
        );
        var metrics = await sidecar.CallAsync(sender, role: "service_role");
        Assert.True((long)metrics!["backlogCount"]! >= 0);
        Assert.Equal(
            "\"plain\"|1|2|[0,255]|{\"list\":[1,null],\"text\":\"ä\"}",
            await LogAsync(queue, 5, "string_agg(body, '|' order by body collate \"C\")")
        );
        await Eventually.HoldsAsync(() => sidecar.Database.ScalarAsync<bool>($"select count(*) = 0 from pgmq.\"q_{queue}\""));
    }

    [Fact]
    public async Task A_message_is_acknowledged_retried_or_dead_as_the_function_says()
    {
        var function = await sidecar.DeployAsync(
            """
            export default { async queue(batch, env) {
              for (const m of batch.messages) {
                await env.DB.prepare("insert into queue_log (queue, id, attempt, body) values ($1, $2::text::bigint, $3, $4)")
                  .bind(batch.queue, m.id, m.attempts, m.body).run();
                if (m.body === "ack then throw") m.ack();
                if (m.body === "retry once" && m.attempts === 1) m.retry({ delaySeconds: 0 });
                if (m.body === "retry once") m.ack();
                if (m.body === "always retry") m.retry({ delaySeconds: 0 });
              }
              if (batch.messages.some((m) => m.body.includes("throw"))) throw new Error("poison");
            } };
            """
        );
        var queue = await CreateAsync("verdicts");
        await ConsumeAsync(
            queue,
            function,
            $$"""{"role": "service_role", "max_retries": 2, "retry_delay": 0, "dead_letter_queue": "{{queue}}-dead", "batch_size": 1}"""
        );
        foreach (var body in new[] { "fine", "ack then throw", "retry once", "always retry", "throw" })
            await sidecar.Database.ExecuteAsync($"select pgmq.send('{queue}', '\"{body}\"')");

        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>(
                $"select (select count(*) from pgmq.\"q_{queue}\") = 0 and (select count(*) from pgmq.\"q_{queue}-dead\") = 2"
            )
        );
        Assert.Equal(
            "ack then throw:1 always retry:3 fine:1 retry once:2 throw:3",
            await sidecar.Database.ScalarAsync<string>(
                $"select string_agg(body || ':' || n, ' ' order by body) from (select body, max(attempt) as n from queue_log where queue = '{queue}' group by body) s"
            )
        );
        Assert.Equal(
            "MESSAGE_RETRIED 3, FUNCTION_ERROR 3 poison",
            await sidecar.Database.ScalarAsync<string>(
                $"""
                select string_agg(concat_ws(' ', d ->> 'error_code', d ->> 'attempts', nullif(d ->> 'error_message', 'The function put the message back each time (retry, retryAll).')), ', '
                    order by d ->> 'error_code' desc)
                from (select headers -> 'x-dead-letter' as d from pgmq."q_{queue}-dead") s where d ->> 'queue' = '{queue}'
                """
            )
        );
    }

    [Fact]
    public async Task Without_a_dead_letter_queue_dead_messages_go_to_the_archive()
    {
        var queue = await QueueAsync(
            "archived",
            "export const handler = () => { throw new Error('no'); };",
            """{"role": "service_role", "max_retries": 0}"""
        );
        await sidecar.Database.ExecuteAsync($"select pgmq.send('{queue}', '1', '{{\"mine\": 1}}'::jsonb)");
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>(
                $"""
                select exists (select from pgmq."a_{queue}" where headers ->> 'mine' = '1' and headers #>> array['x-dead-letter', 'error_message'] = 'no')
                   and not exists (select from pgmq."q_{queue}")
                """
            )
        );
    }

    [Fact]
    public async Task A_handler_puts_back_what_it_names_and_acknowledges_the_rest()
    {
        var queue = await QueueAsync(
            "handler",
            """
            export async function handler(event) {
              const [{ seen }] = await db.query("select coalesce(array_agg(id::text), '{}') as seen from queue_log where queue = $1", [event.queue]);
              const first = event.messages.filter((m) => m.body > 1 && !seen.includes(m.id)).map((m) => m.id);
              await db.query("insert into queue_log (queue, id, attempt, body) select $1, x.id, x.attempts, x.body::text from jsonb_to_recordset($2::jsonb) x (id bigint, attempts int, body jsonb)",
                [event.queue, JSON.stringify(event.messages)]);
              return { retries: [first[0], ...first.slice(1).map((id) => ({ id, delaySeconds: 0 }))].filter((one) => one) };
            }
            """,
            """{"role": "service_role", "retry_delay": 0, "archive": true}"""
        );
        await sidecar.Database.ExecuteAsync($"select pgmq.send_batch('{queue}', array['1', '2', '3']::jsonb[])");
        // How often each was put back: attempts before the first one that reached the table, which a busy database can cost, do not count.
        await LogAsync(queue, 5, "count(*)::text");
        Assert.Equal(
            "1:0 2:1 3:1",
            await sidecar.Database.ScalarAsync<string>(
                $"""
                select string_agg(body || ':' || more, ' ' order by body)
                from (select body, max(attempt) - min(attempt) as more from queue_log where queue = '{queue}' group by body) s
                """
            )
        );
        await Eventually.HoldsAsync(() => sidecar.Database.ScalarAsync<bool>($"select count(*) = 3 from pgmq.\"a_{queue}\""));
    }

    [Fact]
    public async Task Groups_are_delivered_in_order_and_a_failed_message_holds_up_its_group_only()
    {
        var queue = await QueueAsync(
            "groups",
            """
            export async function handler(event) {
              for (const m of event.messages) {
                if (m.body === 2 && m.headers["x-pgmq-group"] === "a" && m.attempts === 1) throw new Error("once");
                await db.query("insert into queue_log (queue, id, attempt, body, grouped) values ($1, $2::text::bigint, $3, $4, $5)",
                  [event.queue, m.id, m.attempts, String(m.body), m.headers["x-pgmq-group"]]);
              }
            }
            """,
            """{"role": "service_role", "ordered": true, "batch_size": 1, "retry_delay": 1}"""
        );
        await sidecar.Database.ExecuteAsync(
            $$"""select pgmq.send('{{queue}}', to_jsonb(n), jsonb_build_object('x-pgmq-group', g)) from generate_series(1, 10) n, unnest(array['a', 'b', 'c']) g"""
        );
        Assert.Equal(
            "a:1,2,3,4,5,6,7,8,9,10 b:1,2,3,4,5,6,7,8,9,10 c:1,2,3,4,5,6,7,8,9,10",
            await LogAsync(
                queue,
                30,
                "(select string_agg(grouped || ':' || bodies, ' ' order by grouped) from (select grouped, string_agg(body, ',' order by n) as bodies from queue_log where queue = '"
                    + queue
                    + "' group by grouped) s)"
            )
        );
    }

    [Fact]
    public async Task A_batch_waits_for_more_messages_and_starts_at_once_when_it_is_full()
    {
        var queue = await QueueAsync("filling", Recording, """{"role": "service_role", "batch_size": 3, "batch_timeout": 60}""");
        await sidecar.Database.ExecuteAsync($"select pgmq.send('{queue}', '1')");
        await sidecar.Database.ExecuteAsync($"select pgmq.send_batch('{queue}', array['2', '3']::jsonb[])");
        Assert.Equal("3", await LogAsync(queue, 3, "min(size)::text"));
    }

    [Fact]
    public async Task A_batch_that_stays_incomplete_starts_after_its_timeout()
    {
        var queue = await QueueAsync("waiting", Recording, """{"role": "service_role", "batch_size": 3, "batch_timeout": 1}""");
        await sidecar.Database.ExecuteAsync($"select pgmq.send_batch('{queue}', array['1', '2']::jsonb[])");
        Assert.Equal("2", await LogAsync(queue, 2, "min(size)::text"));
    }

    [Fact]
    public async Task A_role_sends_only_to_queues_that_it_was_granted_and_never_reads_them()
    {
        var queue = await CreateAsync("granted");
        var sender = await SenderAsync($"return await env.QUEUE.queue('{queue}').send(1).then(() => ['sent'], (e) => [e.code])");
        var reader = await SenderAsync(
            $"return await db.query(`select * from pgmq.read('{queue}', 1, 1)`).then(() => ['read'], (e) => [e.code])"
        );
        Assert.Equal("PGFN5502", (string?)(await sidecar.CallAsync(sender))![0]);
        Assert.Equal("sent", (string?)(await sidecar.CallAsync(sender, role: "service_role"))![0]);
        await sidecar.Database.ExecuteAsync($$"""select functions.create_queue('{{queue}}', '{"send": "authenticated"}')""");
        Assert.Equal("sent", (string?)(await sidecar.CallAsync(sender))![0]);
        Assert.Equal("PGFN5502", (string?)(await sidecar.CallAsync(sender, role: "anon"))![0]);
        Assert.Equal("42501", (string?)(await sidecar.CallAsync(reader))![0]);
        await sidecar.Database.ExecuteAsync($$"""select functions.create_queue('{{queue}}', '{"receive": "authenticated"}')""");
        Assert.Equal("read", (string?)(await sidecar.CallAsync(reader))![0]);
        await sidecar.Database.ExecuteAsync($$"""select functions.create_queue('{{queue}}', '{"send": [], "receive": []}')""");
        Assert.Equal("PGFN5502", (string?)(await sidecar.CallAsync(sender))![0]);
        Assert.Equal("42501", (string?)(await sidecar.CallAsync(reader))![0]);
    }

    [Fact]
    public async Task Policies_on_the_queues_table_hold_for_senders()
    {
        var queue = await CreateAsync("policies");
        await sidecar.Database.ExecuteAsync(
            $$"""
            select functions.create_queue('{{queue}}', '{"send": "authenticated"}');
            alter table pgmq."q_{{queue}}" enable row level security;
            create policy own on pgmq."q_{{queue}}" for insert with check (message ->> 'user' = functions.uid()::text);
            """
        );
        var sender = await SenderAsync(
            $"return await env.QUEUE.queue('{queue}').send({{ user: event.body.as }}).then(() => ['sent'], (e) => [e.code])"
        );
        const string Alice = "00000000-0000-0000-0000-00000000000a";
        Assert.Equal("sent", (string?)(await sidecar.CallAsync(sender, $$"""{"as": "{{Alice}}"}""", subject: Alice))![0]);
        Assert.Equal("42501", (string?)(await sidecar.CallAsync(sender, """{"as": "someone else"}""", subject: Alice))![0]);
        Assert.Equal(1, await sidecar.Database.ScalarAsync<long>($"select count(*) from pgmq.\"q_{queue}\""));
    }

    [Fact]
    public async Task What_is_no_queue_or_no_message_is_refused_by_its_code()
    {
        var sender = await SenderAsync(
            """
            const code = (promise) => promise.then(() => "sent", (e) => e.code ?? e.name);
            return await Promise.all([
              code(env.QUEUE.queue("no-such-queue").send(1)), code(env.QUEUE.queue('x" (vt) values (now()); drop table users; --').send(1)),
              code(env.QUEUE.queue("no-such-queue").metrics()), code(env.QUEUE.queue("Upper").send(1)), code(env.QUEUE.metrics()),
              code(env.QUEUE.send("a\u0000b"))]);
            """
        );
        Assert.Equal(
            """["PGFN5501","PGFN5501","PGFN5501","PGFN5501","sent","22P05"]""",
            (await sidecar.CallAsync(sender, role: "service_role"))!.ToJsonString()
        );
        Assert.Equal("PGFN5501", (await sidecar.CallAsync(sender, role: "anon"))![4]!.GetValue<string>());
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Stopping_and_dropping_leave_messages_or_nothing()
    {
        var queue = await QueueAsync("stopped", Recording, Service);
        await sidecar.Database.ExecuteAsync($"select pgmq.send('{queue}', '1')");
        Assert.Equal("1", await LogAsync(queue, 1, "max(body)"));
        await Eventually.HoldsAsync(() =>
            sidecar.Database.ScalarAsync<bool>(
                $"select delivered_per_minute > 0 and state = 'active' from functions.queues where name = '{queue}'"
            )
        );
        await sidecar.Database.ExecuteAsync($"select functions.stop_consuming('{queue}'); select pgmq.send('{queue}', '2')");
        Assert.Equal(
            "1 not consumed",
            await sidecar.Database.ScalarAsync<string>($"select depth || ' ' || state from functions.queues where name = '{queue}'")
        );
        await sidecar.Database.ExecuteAsync($"select functions.drop_queue('{queue}')");
        Assert.False(await sidecar.Database.ScalarAsync<bool>($"select exists (select from functions.queues where name = '{queue}')"));
    }

    [Fact]
    public async Task Single_messages_do_not_change_who_is_recorded_as_waiting()
    {
        var queue = await QueueAsync("quiet", Recording, Service);
        var waits = $"select coalesce(max(xmin::text), '') from functions_private.queue_waits where queue = '{queue}'";
        var sent = 0;
        // It is changed if a message comes within some milliseconds after another one, or before the consumer has begun to wait.
        await Eventually.HoldsAsync(async () =>
        {
            var before = await sidecar.Database.ScalarAsync<string>(waits);
            await sidecar.Database.ExecuteAsync($"select pgmq.send('{queue}', '{++sent}')");
            await LogAsync(queue, sent, "count(*)::text");
            await Eventually.HoldsAsync(() => sidecar.Database.ScalarAsync<bool>($"select count(*) = 0 from pgmq.\"q_{queue}\""));
            return before.Length > 0 && before == await sidecar.Database.ScalarAsync<string>(waits);
        });
    }

    private async Task<string> CreateAsync(string purpose)
    {
        await sidecar.Database.ExecuteAsync(
            """
            create table if not exists queue_log (n bigserial, queue text, id bigint, attempt int, body text, size int, grouped text);
            grant all on queue_log to service_role; grant usage on sequence queue_log_n_seq to service_role;
            """
        );
        var queue = $"{purpose}-{Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..8]}";
        await sidecar.Database.ExecuteAsync($"select functions.create_queue('{queue}')");
        return queue;
    }

    private async Task<string> QueueAsync(string purpose, string source, string options)
    {
        var queue = await CreateAsync(purpose);
        await ConsumeAsync(queue, await sidecar.DeployAsync(source), options);
        return queue;
    }

    private Task ConsumeAsync(string queue, string function, string options) =>
        sidecar.Database.ExecuteAsync($"select functions.consume_queue('{queue}', '{function}', '{options}')");

    private Task<string> SenderAsync(string body) => sidecar.DeployAsync($"export async function handler(event) {{ {body} }}");

    /// <summary>Waits until so many messages are recorded, and aggregates them.</summary>
    private async Task<string> LogAsync(string queue, int count, string aggregate)
    {
        try
        {
            await Eventually.HoldsAsync(() =>
                sidecar.Database.ScalarAsync<bool>($"select count(*) >= {count} from queue_log where queue = '{queue}'")
            );
        }
        catch (OperationCanceledException e)
        {
            throw new InvalidOperationException($"{queue} does not get {count} messages. {await StateAsync(queue)}", e);
        }
        return await sidecar.Database.ScalarAsync<string>($"select {aggregate} from queue_log where queue = '{queue}'");
    }

    /// <summary>What a queue holds, what was recorded of it, and how its function ended.</summary>
    private Task<string> StateAsync(string queue) =>
        sidecar.Database.ScalarAsync<string>(
            $"""
            select concat_ws(e'\n',
                'Messages: ' || (select json_agg(m) from pgmq."q_{queue}" m),
                'Leases: ' || (select json_agg(b) from functions_private.queue_batches b where b.queue = '{queue}'),
                'Recorded: ' || (select json_agg(l) from queue_log l where l.queue = '{queue}'),
                'Invocations: ' || (select json_agg(i) from functions.invocations i
                    where i.function = (select c.function from functions_private.queue_consumers c where c.queue = '{queue}')))
            """
        );
}
