using System.Net;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>The server's passing trouble is no failure of a function: events wait, callers are asked to come again.</summary>
public sealed class OutageTests(SidecarFixture sidecar)
{
    private const string EndFunctionSessions =
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename like 'pgfn\\_%'";

    [Fact]
    public async Task A_server_that_takes_no_connection_costs_no_attempt_and_callers_get_503()
    {
        await using var stage = await FaultStage.CreateAsync();
        await stage.DeployAsync("asking", "export const handler = async () => (await db.query('select 1 as one'))[0];");
        await stage.DeployAsync("catching", "export const handler = async () => { try { await db.query('select 1'); } catch (e) { return { code: e.code }; } };");
        await stage.ExecuteAsync($"do $$ begin execute format('alter database %I connection limit 0', current_database()); end $$; {EndFunctionSessions}");
        await stage.InsertAsync(1, 300);

        // Once more after the pause: what is put back is tried again.
        await stage.UntilAsync("(select count(*) >= 3 from functions.invocations where function = 'noting' and error_code = 'DATABASE_UNAVAILABLE')");
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from functions_private.deliveries where attempts <> 0"));
        Assert.Equal(300, await stage.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
        Assert.StartsWith("The database can't be reached", await stage.ScalarAsync<string>("select error from functions.events where error is not null limit 1"));
        using (var refused = await stage.CallAsync("asking"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Equal("1", refused.Headers.RetryAfter?.ToString());
            Assert.Contains("\"code\":\"DATABASE_UNAVAILABLE\"", await refused.Content.ReadAsStringAsync());
        }
        // What a function catches is its own affair.
        using (var caught = await stage.CallAsync("catching"))
            Assert.Equal("{\"code\":\"53300\"}", await caught.Content.ReadAsStringAsync());

        await stage.ExecuteAsync("do $$ begin execute format('alter database %I connection limit -1', current_database()); end $$");
        await stage.AllDeliveredAsync(300);
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from effects where attempt <> 1"));
        Assert.Equal(0, await stage.ScalarAsync<long>("select count(*) from functions.dead_letters"));
        // Nothing spun: of 300 events only a few found out what the others need not ask.
        Assert.InRange(await stage.ScalarAsync<long>("select count(*) from functions.invocations where function = 'noting' and status = 'host_error'"), 3, 150);
    }

    [Fact]
    public async Task An_event_whose_statement_ends_its_own_session_becomes_a_dead_letter()
    {
        await using var stage = await FaultStage.CreateAsync("export const handler = () => db.query('select leave()');", """{"retries": 1, "backoff_ms": 10}""");
        await stage.ExecuteAsync("create function leave() returns bool language plpgsql as $$ begin perform set_config('role', 'none', true); return pg_terminate_backend(pg_backend_pid()); end $$");

        await stage.InsertAsync(1, 1);

        await stage.UntilAsync("exists (select from functions.dead_letters where error_message like '%session was ended%')");
    }

    [Fact]
    public async Task A_conflict_costs_an_attempt_in_a_transaction_of_the_functions_own_only()
    {
        await using var stage = await FaultStage.CreateAsync("""
            export async function handler(event) {
                if (event.new.note === 'stale')
                    await db.transaction(async tx => {
                        await tx.query('select count(*) from counters');
                        await db.query('update counters set n = n + 1');
                        await tx.query('update counters set n = n + 1');
                    });
                else if (event.new.note === 'own')
                    await db.transaction(tx => tx.query('select 1 from gates for update nowait'));
                else
                    await db.query('select 1 from gates for update nowait');
                await db.query("insert into effects (event_id, attempt, id, found) values ($1, $2, $3, true)", [event.event_id, event.attempt, event.new.id]);
            }
            """, """{"retries": 0}""");
        await stage.ExecuteAsync($"""
            create table gates (id int primary key); insert into gates values (1); grant all on gates to service_role;
            create table counters (n int); insert into counters values (1); grant all on counters to service_role;
            do $$ begin execute format('alter database %I set default_transaction_isolation = %L', current_database(), 'repeatable read'); end $$;
            {EndFunctionSessions}
            """);
        await using (var holder = await stage.Owner.OpenConnectionAsync())
        {
            await using (var held = new NpgsqlCommand("begin; select from gates for update", holder))
                await held.ExecuteNonQueryAsync();
            await stage.ExecuteAsync("insert into items (id, note) values (1, 'server'), (2, 'own'), (3, 'stale')");
            await stage.UntilAsync("(select count(*) = 2 from functions.dead_letters)");
            await stage.UntilAsync("(select count(*) >= 2 from functions.invocations where error_code = 'DATABASE_UNAVAILABLE' and error_message like 'Another transaction was in the way%')");
        }
        await stage.UntilAsync("(select count(*) = 1 from effects where id = 1 and attempt = 1)");
        Assert.Equal(
            "2 FUNCTION_ERROR could not obtain lock on row in relation \"gates\", 3 FUNCTION_ERROR could not serialize access due to concurrent update",
            await stage.ScalarAsync<string>("""
                select string_agg(concat_ws(' ', payload -> 'new' ->> 'id', error_code, error_message), ', ' order by payload -> 'new' ->> 'id')
                from functions.dead_letters
                """));
    }

    [Theory]
    // The code alone proves nothing: functions choose the codes of what they throw, and so does code of the database's.
    [InlineData("throw Object.assign(new Error('x'), { code: 'PGFN0503' });")]
    [InlineData("throw Object.assign(new Error('x'), { code: '53300' });")]
    [InlineData("await db.query(\"select raises('53300')\");")]
    [InlineData("await db.query(\"select raises('40001')\");")]
    [InlineData("await db.query('select 1/0');")]
    public async Task A_failure_of_the_functions_own_is_a_failure(string body)
    {
        await sidecar.Database.ExecuteAsync("""
            select pg_advisory_lock(7701);
            create or replace function raises(code text) returns void language plpgsql as $$ begin raise exception 'no' using errcode = code; end $$;
            select pg_advisory_unlock(7701);
            """);
        var function = await sidecar.DeployAsync($"export async function handler() {{ {body} }}");
        using var response = await sidecar.PostAsync(function, role: "service_role");
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains("\"code\":\"FUNCTION_ERROR\"", await response.Content.ReadAsStringAsync());
    }
}
