using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.EndToEnd.Webhooks;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Serving;

/// <summary>Every feature once, with a sidecar whose login only serves.</summary>
public sealed class ServerLoginTests(ServedInstallation served) : IClassFixture<ServedInstallation>
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";
    private const string Bob = "22222222-2222-4222-8222-222222222222";

    /// <summary>A command that does nothing.</summary>
    private static readonly byte[] Quiet = Convert.FromHexString(
        "0061736D01000000" + "01040160000003020100070A01065F737461727400000A040102000B"
    );

    [Fact]
    public async Task Module_is_deployed_over_HTTP()
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("over-http"), "name" },
            { new ByteArrayContent(Quiet), "wasm", "module.wasm" },
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/deploy") { Content = form };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", served.Key);
        using var response = await served.Http.SendAsync(request);
        Assert.True(response.StatusCode == HttpStatusCode.Created, await response.Content.ReadAsStringAsync());
        Assert.Null(await served.CallAsync("over-http"));
    }

    [Fact]
    public async Task Function_runs_as_its_caller_under_the_policies()
    {
        await served.ExecuteAsync(
            """
            create table notes (owner uuid default functions.uid(), body text); alter table notes enable row level security;
            create policy own on notes using (owner = functions.uid()) with check (owner = functions.uid());
            grant select, insert on notes to authenticated
            """
        );
        var function = await served.DeployAsync(
            """
            export async function handler(event) {
              await db.query("insert into notes (body) values ('mine')");
              return await db.query("select current_user as role, session_user as login, count(*)::int as n from notes");
            }
            """
        );
        await served.CallAsync(function, subject: Bob);
        Assert.Equal(
            """[{"role":"authenticated","login":"pgfn_authenticated","n":1}]""",
            (await served.CallAsync(function, subject: Alice))!.ToJsonString()
        );
    }

    [Fact]
    public async Task Trigger_of_a_table_that_was_made_after_the_start_fires_for_rows_before_and_after_it()
    {
        // A schema that the login may not use, and rows that only the owner may read.
        await served.ExecuteAsync(
            "create schema app; create table app.things (id int primary key, body text); insert into app.things values (1, 'old')"
        );
        var function = await served.DeployAsync(
            "export const handler = (event) => { console.log(event.operation + ' ' + event.new.body); }"
        );
        await served.SendAsync(
            "PUT",
            "triggers/on-things",
            new JsonObject
            {
                ["function"] = function,
                ["table"] = "app.things",
                ["operations"] = new JsonArray("INSERT", "UPDATE"),
                ["options"] = new JsonObject
                {
                    ["start"] = "backfill",
                    ["role"] = "service_role",
                    ["when"] = "new.body <> 'unwanted'",
                    ["follow"] = "name",
                },
            }
        );
        await served.ExecuteAsync(
            "insert into app.things values (2, 'unwanted'), (3, 'new'); update app.things set body = 'changed' where id = 3"
        );
        foreach (var message in (string[])["INSERT old", "INSERT new", "UPDATE changed"])
            await served.LoggedAsync(function, message);

        // The sidecar repairs what is changed meanwhile: an identity, where changes are published and not carried by a row trigger, as
        // they are from PostgreSQL 18 on, and a table of the same name.
        if (await (await PostgresServer.GetAsync()).GetVersionAsync() < 18)
        {
            await served.ExecuteAsync("alter table app.things replica identity default");
            await served.HoldsAsync("(select relreplident = 'f' from pg_class where oid = 'app.things'::regclass)");
        }
        await served.ExecuteAsync("alter table app.things rename to former; create table app.things (id int primary key, body text)");
        await served.HoldsAsync("(select relation = 'app.things'::regclass from functions_private.triggers where name = 'on-things')");
        await served.ExecuteAsync("insert into app.things values (9, 'followed')");
        await served.LoggedAsync(function, "INSERT followed");
        await served.SendAsync("DELETE", "triggers/on-things");
        Assert.Equal(0, await served.ScalarAsync<long>("select count(*) from pg_trigger where tgrelid = 'app.things'::regclass"));
    }

    [Fact]
    public async Task Partition_that_comes_later_is_captured_and_fires()
    {
        await served.ExecuteAsync(
            """
            create table parts (id int, at date) partition by range (at); create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01');
            grant insert on parts to authenticated
            """
        );
        var function = await served.DeployAsync(
            "export const handler = async (event) => { const [who] = await db.query('select current_user as role'); console.log(event.new.id + ' ' + who.role); }"
        );
        await served.SendAsync("PUT", "triggers/on-parts", new JsonObject { ["function"] = function, ["table"] = "parts" });
        await served.ExecuteAsync(
            "create table parts_2 partition of parts for values from ('2026-02-01') to ('2026-03-01'); grant insert on parts_2 to authenticated"
        );
        await served.HoldsAsync(
            "exists (select from pg_trigger where tgrelid = 'parts_2'::regclass and tgname = 'functions_capture_context')"
        );
        await served.Database.ExecuteAsync("begin; set local role authenticated; insert into parts_2 values (2, '2026-02-03'); commit");
        await served.LoggedAsync(function, "2 authenticated");
        await served.SendAsync("DELETE", "triggers/on-parts");
    }

    [Fact]
    public async Task Schedule_runs()
    {
        var function = await served.DeployAsync("export const handler = (event) => { console.log('tick'); }");
        await served.SendAsync(
            "PUT",
            "schedules/nightly",
            new JsonObject
            {
                ["function"] = function,
                ["cron"] = "0 3 1 1 *",
                ["options"] = new JsonObject { ["role"] = "service_role" },
            }
        );
        await served.SendAsync("POST", "schedules/nightly/run");
        await served.LoggedAsync(function, "tick");
        await served.HoldsAsync("exists (select from functions.schedule_runs where schedule = 'nightly' and status = 'succeeded')");
        await served.SendAsync("DELETE", "schedules/nightly");
    }

    [Fact]
    public async Task Queue_is_made_consumed_and_dropped_and_a_dead_letter_queue_is_made_when_it_is_needed()
    {
        var function = await served.DeployAsync(
            """
            export default { async queue(batch) {
              for (const m of batch.messages) { if (m.body === "bad") throw new Error("no"); console.log("got " + m.body); m.ack(); }
            } };
            """
        );
        await served.SendAsync("PUT", "queues/work", new JsonObject());
        var options = new JsonObject
        {
            ["role"] = "service_role",
            ["batch_size"] = 1,
            ["max_retries"] = 0,
            ["dead_letter_queue"] = "work-dead",
        };
        await served.SendAsync("PUT", "queues/work/consumer", new JsonObject { ["function"] = function, ["options"] = options });
        await served.ExecuteAsync("select functions.drop_queue('work-dead')");
        // One that the owner made in psql, which the login gets as well.
        await served.ExecuteAsync("select pgmq.create('plain')");
        await served.ExecuteAsync("select pgmq.send('work', '\"good\"'); select pgmq.send('work', '\"bad\"')");
        await served.LoggedAsync(function, "got good");
        await served.HoldsAsync("to_regclass('pgmq.\"q_work-dead\"') is not null");
        await served.HoldsAsync("(select count(*) = 1 from pgmq.\"q_work-dead\")");
        await served.SendAsync("DELETE", "queues/work/consumer");
        await served.SendAsync(
            "PUT",
            "queues/plain/consumer",
            new JsonObject { ["function"] = function, ["options"] = options.DeepClone() }
        );
        await served.ExecuteAsync("select pgmq.send('plain', '\"plain\"')");
        await served.LoggedAsync(function, "got plain");
        await served.SendAsync("DELETE", "queues/plain/consumer");
        await served.SendAsync("DELETE", "queues/plain");
        Assert.True(await served.ScalarAsync<bool>("select to_regclass('pgmq.q_plain') is null"));
    }

    [Fact]
    public async Task Webhook_is_accepted_and_its_secret_is_rotated()
    {
        var function = await served.DeployAsync("export const handler = (event) => { console.log('hook'); }");
        var hook = await served.SendAsync(
            "PUT",
            "webhooks/hook",
            new JsonObject
            {
                ["function"] = function,
                ["options"] = new JsonObject { ["role"] = "service_role" },
            }
        );
        await served.SendAsync("POST", "webhooks/hook/rotate", new JsonObject());
        using var response = await new WebhookSender(served.Http, "hook", (string)hook!["secret"]!).SendAsync("{}");
        Assert.Equal(202, (int)response.StatusCode);
        await served.LoggedAsync(function, "hook");
        await served.SendAsync("DELETE", "webhooks/hook");
    }

    [Fact]
    public async Task Cache_storage_and_outgoing_queues_work()
    {
        await served.ExecuteAsync("select functions.create_queue('outgoing')");
        var function = await served.DeployAsync(
            """
            export async function handler() {
              await env.CACHE.put("k", "cached"); await env.STORAGE.put("o", "stored"); await env.QUEUE.queue("outgoing").send("sent");
              return [await env.CACHE.get("k"), await (await env.STORAGE.get("o")).text(), (await env.STORAGE.list()).objects.length];
            }
            """
        );
        Assert.Equal("""["cached","stored",1]""", (await served.CallAsync(function, "service_role"))!.ToJsonString());
        Assert.Equal(1, await served.ScalarAsync<long>("select count(*) from pgmq.q_outgoing"));
    }

    [Fact]
    public async Task Vectors_are_stored_and_found()
    {
        Assert.SkipUnless(
            await served.Database.ScalarAsync<bool>("select exists (select from pg_available_extensions where name = 'vector')"),
            "The test server has no pgvector (scripts/pgvector.sh)."
        );
        await served.Database.ExecuteAsync(
            "create schema ext; create extension vector schema ext; grant usage on schema ext to anon, authenticated, service_role, public"
        );
        await served.ExecuteAsync("select functions.create_vector_index('docs', 2)");
        var function = await served.DeployAsync(
            """
            export async function handler() {
              const v = env.VECTORIZE.index("docs");
              await v.upsert([{ id: "a", values: [1, 0] }, { id: "b", values: [0, 1] }]);
              return [(await v.query([1, 0], { topK: 1 })).matches[0].id];
            }
            """
        );
        Assert.Equal("a", (string?)(await served.CallAsync(function, "service_role"))![0]);
    }

    [Fact]
    public async Task Partition_of_logs_that_is_missing_is_made()
    {
        var function = await served.DeployAsync("export const handler = () => { console.log('noted'); }");
        await served.ExecuteAsync(
            "do $$ begin execute format('drop table functions_private.logs_%s', to_char(now() at time zone 'UTC', 'YYYYMMDD')); end $$"
        );
        await served.CallAsync(function);
        await served.LoggedAsync(function, "noted");
    }

    [Fact]
    public async Task Password_and_settings_that_a_login_gave_itself_are_reset_and_its_foreign_session_is_ended()
    {
        var function = await served.DeployAsync("export const handler = async () => (await db.query('select 1 as one'))[0].one;");
        await served.CallAsync(function, "anon");
        await served.Database.ExecuteAsync(
            "alter role pgfn_anon password 'known'; alter role pgfn_anon set default_transaction_read_only = on"
        );
        await using var known = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(served.Database.ConnectionString)
            {
                Username = "pgfn_anon",
                Password = "known",
                Pooling = false,
            }
        );
        await using var foreign = await known.OpenConnectionAsync();
        // Every call uses the login, so each run of the guard sets its password again.
        await Eventually.HoldsAsync(async () =>
        {
            await served.CallAsync(function, "anon");
            try
            {
                await using var connection = await known.OpenConnectionAsync();
                return false;
            }
            catch (PostgresException e)
            {
                return e.SqlState == PostgresErrorCodes.InvalidPassword;
            }
        });
        await Eventually.HoldsAsync(() =>
            served.Database.ScalarAsync<bool>(
                $"select not exists (select from pg_stat_activity where pid = {foreign.ProcessID} and usename = 'pgfn_anon')"
            )
        );
        Assert.Equal(1, (int)(await served.CallAsync(function, "anon"))!);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Second_sidecar_takes_over_from_a_frozen_one()
    {
        await served.ExecuteAsync("create table takeover (id int primary key)");
        var function = await served.DeployAsync("export const handler = (event) => { console.log('row ' + event.new.id); }");
        await served.SendAsync("PUT", "triggers/on-takeover", new JsonObject { ["function"] = function, ["table"] = "takeover" });
        await served.ExecuteAsync("insert into takeover values (1)");
        await served.LoggedAsync(function, "row 1");
        await using var second = await served.StartAsync();
        served.Sidecar.Freeze();
        try
        {
            await served.ExecuteAsync("insert into takeover values (2)");
            await served.LoggedAsync(function, "row 2");
        }
        finally
        {
            served.Sidecar.Thaw();
        }
        await served.SendAsync("DELETE", "triggers/on-takeover");
    }

    [Fact]
    public async Task Login_that_serves_does_not_migrate()
    {
        var (code, _, error) = await ServedInstallation.PgfnAsync(["migrate"], ("DATABASE_URL", served.ServerUrl));
        Assert.Equal(2, code);
        Assert.Contains($"do it as its owner \"{served.OwnerName}\"", error, StringComparison.Ordinal);
        (code, _, error) = await ServedInstallation.PgfnAsync(["migrate"], ("DATABASE_URL", served.OwnerUrl));
        Assert.True(code == 0, error);
        var doctor = await ServedInstallation.PgfnAsync(
            ["doctor"],
            ("DATABASE_URL", served.ServerUrl),
            ("PGFN_REPLICATION_URL", served.ReplicationUrl)
        );
        Assert.True(doctor.Code == 0, doctor.Output + doctor.Error);
    }
}
