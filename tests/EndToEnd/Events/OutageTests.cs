using System.Net;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A temporary outage of the server is not a failure of a function: events wait, callers get 503 with Retry-After.</summary>
public sealed class OutageTests(SidecarFixture sidecar)
{
    private const string EndFunctionSessions =
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename like 'pgfn\\_%'";

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Server_that_accepts_no_connections_costs_no_attempt_and_callers_get_503()
    {
        await using var harness = await FaultHarness.CreateAsync();
        await harness.DeployAsync("asking", "export const handler = async () => (await db.query('select 1 as one'))[0];");
        await harness.DeployAsync(
            "catching",
            "export const handler = async () => { try { await db.query('select 1'); } catch (e) { return { code: e.code }; } };"
        );
        await harness.ExecuteAsync(
            $"do $$ begin execute format('alter database %I connection limit 0', current_database()); end $$; {EndFunctionSessions}"
        );
        await harness.InsertAsync(1, 300);

        // Once more after the pause: released events are retried.
        await harness.UntilAsync(
            "(select count(*) >= 3 from functions.invocations where function = 'noting' and error_code = 'DATABASE_UNAVAILABLE')"
        );
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.deliveries where attempts <> 0"));
        Assert.Equal(300, await harness.ScalarAsync<long>("select count(*) from functions_private.deliveries"));
        // Not while its next try runs.
        await harness.UntilAsync("exists (select from functions.events where error like 'The database can''t be reached%')");
        using (var refused = await harness.CallAsync("asking"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Equal("1", refused.Headers.RetryAfter?.ToString());
            Assert.Contains("\"code\":\"DATABASE_UNAVAILABLE\"", await refused.Content.ReadAsStringAsync());
        }
        // Errors that a function catches do not count.
        using (var caught = await harness.CallAsync("catching"))
            Assert.Equal("{\"code\":\"53300\"}", await caught.Content.ReadAsStringAsync());

        await harness.ExecuteAsync("do $$ begin execute format('alter database %I connection limit -1', current_database()); end $$");
        await harness.AllDeliveredAsync(300);
        // An attempt counts only where an invocation itself failed: after the outage one may run out of its time on a slow machine.
        await harness.UntilAsync(
            """
            (select coalesce(sum(attempt - 1), 0) <= (
                select count(*) from functions.invocations where function = 'noting' and status not in ('succeeded', 'host_error'))
             from effects)
            """
        );
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions.dead_letters"));
        // There was no busy loop: only a few of the 300 events probed the server.
        Assert.InRange(
            await harness.ScalarAsync<long>(
                "select count(*) from functions.invocations where function = 'noting' and status = 'host_error'"
            ),
            3,
            150
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Event_whose_statement_exhausts_the_server_becomes_a_dead_letter_and_blocks_no_other()
    {
        // The lock table belongs to the server, not to the database.
        await using var harness = await FaultHarness.CreateWithServerAsync();
        await harness.DeployAsync(
            "greedy",
            "export const handler = event => event.new.greedy && db.query('select count(pg_advisory_xact_lock(n)) from generate_series(1, 1000000) n');"
        );
        await harness.ExecuteAsync(
            """
            create table appetites (id int primary key, greedy bool not null);
            select functions.create_trigger('greedy', 'greedy', 'appetites', options => '{"retries": 1, "backoff_ms": 10}');
            """
        );
        await harness.ExecuteAsync("insert into appetites values (1, true)");
        // At first it counts as a temporary outage of the server.
        await UntilAsync(
            "select exists (select from functions_private.deliveries where function = 'greedy' and attempts = 0 and claims > 1 and last_error like '%out of shared memory%')"
        );
        await UntilAsync("with added as (insert into items select generate_series(1, 5) returning 1) select count(*) = 5 from added");
        await UntilAsync(
            "with added as (insert into appetites select n, false from generate_series(2, 20) n returning 1) select count(*) = 19 from added"
        );
        await UntilAsync("select count(*) = 19 from functions.invocations where function = 'greedy' and status = 'succeeded'");
        await UntilAsync("select count(*) = 1 from functions_private.deliveries");
        // After enough deliveries each one counts as an attempt. The test sets their number, which would take five minutes otherwise.
        await UntilAsync(
            "with often as (update functions_private.deliveries set claims = 40, run_at = now() where claimed_by is null returning 1) select count(*) = 1 from often"
        );
        await UntilAsync(
            "select exists (select from functions.dead_letters where function = 'greedy' and error_message like '%out of shared memory%' and attempts = 2)"
        );
        await UntilAsync("select count(distinct id) = 5 from effects");

        // The statements of the test fail in the same way.
        Task UntilAsync(string condition) =>
            Eventually.HoldsAsync(async () =>
            {
                try
                {
                    return await harness.ScalarAsync<bool>(condition);
                }
                catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.OutOfMemory)
                {
                    return false;
                }
            });
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Limit_exceeded_by_a_statement_alone_costs_an_attempt_at_once()
    {
        await using var harness = await FaultHarness.CreateAsync(
            "export const handler = () => db.query(\"select count(*) from (select g, repeat('x', 500) from generate_series(1, 200000) g order by 2, 1 desc) s\");",
            """{"retries": 0}"""
        );
        await harness.ExecuteAsync(
            $"do $$ begin execute format('alter database %I set temp_file_limit = 1024', current_database()); end $$; {EndFunctionSessions}"
        );
        await harness.InsertAsync(1, 1);
        await harness.UntilAsync(
            "exists (select from functions.dead_letters where error_code = 'FUNCTION_ERROR' and error_message like '%temporary file size%' and attempts = 1)"
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Lock_held_by_the_function_itself_costs_an_attempt()
    {
        await using var harness = await FaultHarness.CreateAsync(
            """
            export const handler = () => db.transaction(async tx => {
                await tx.query('select 1 from gates for update');
                await db.query('select 1 from gates for update nowait');
            });
            """,
            """{"retries": 0}"""
        );
        await harness.ExecuteAsync(
            "create table gates (id int primary key); insert into gates values (1); grant all on gates to service_role"
        );
        await harness.InsertAsync(1, 1);
        await harness.UntilAsync(
            "exists (select from functions.dead_letters where error_code = 'FUNCTION_ERROR' and error_message like '%could not obtain lock%' and attempts = 1)"
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Event_whose_statement_ends_its_own_session_becomes_a_dead_letter()
    {
        await using var harness = await FaultHarness.CreateAsync(
            "export const handler = () => db.query('select leave()');",
            """{"retries": 1, "backoff_ms": 10}"""
        );
        await harness.ExecuteAsync(
            "create function leave() returns bool language plpgsql as $$ begin perform set_config('role', 'none', true); return pg_terminate_backend(pg_backend_pid()); end $$"
        );

        await harness.InsertAsync(1, 1);

        await harness.UntilAsync("exists (select from functions.dead_letters where error_message like '%session was ended%')");
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Conflict_costs_an_attempt_only_in_a_transaction_the_function_opened()
    {
        await using var harness = await FaultHarness.CreateAsync(
            """
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
            """,
            """{"retries": 0}"""
        );
        await harness.ExecuteAsync(
            $"""
            create table gates (id int primary key); insert into gates values (1); grant all on gates to service_role;
            create table counters (n int); insert into counters values (1); grant all on counters to service_role;
            do $$ begin execute format('alter database %I set default_transaction_isolation = %L', current_database(), 'repeatable read'); end $$;
            {EndFunctionSessions}
            """
        );
        await using (var holder = await harness.Owner.OpenConnectionAsync())
        {
            await using (var held = new NpgsqlCommand("begin; select from gates for update", holder))
                await held.ExecuteNonQueryAsync();
            await harness.ExecuteAsync("insert into items (id, note) values (1, 'server'), (2, 'own'), (3, 'stale')");
            await harness.UntilAsync("(select count(*) = 2 from functions.dead_letters)");
            await harness.UntilAsync(
                "(select count(*) >= 2 from functions.invocations where error_code = 'DATABASE_UNAVAILABLE' and error_message like 'The statement conflicted with another transaction%')"
            );
        }
        await harness.UntilAsync("(select count(*) = 1 from effects where id = 1 and attempt = 1)");
        Assert.Equal(
            "2 FUNCTION_ERROR could not obtain lock on row in relation \"gates\", 3 FUNCTION_ERROR could not serialize access due to concurrent update",
            await harness.ScalarAsync<string>(
                """
                select string_agg(concat_ws(' ', payload -> 'new' ->> 'id', error_code, error_message), ', ' order by payload -> 'new' ->> 'id')
                from functions.dead_letters
                """
            )
        );
    }

    [Theory]
    // The code alone proves nothing: functions and code in the database choose the codes of their errors.
    [InlineData("throw Object.assign(new Error('x'), { code: 'DATABASE_UNAVAILABLE' });")]
    [InlineData("throw Object.assign(new Error('x'), { code: '53300' });")]
    [InlineData("await db.query(\"select raises('53300')\");")]
    [InlineData("await db.query(\"select raises('40001')\");")]
    [InlineData("await db.query('select 1/0');")]
    public async Task Failure_of_the_function_costs_an_attempt(string body)
    {
        await sidecar.Database.ExecuteAsync(
            """
            select pg_advisory_lock(7701);
            create or replace function raises(code text) returns void language plpgsql as $$ begin raise exception 'no' using errcode = code; end $$;
            select pg_advisory_unlock(7701);
            """
        );
        var function = await sidecar.DeployAsync($"export async function handler() {{ {body} }}");
        using var response = await sidecar.PostAsync(function, role: "service_role");
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains("\"code\":\"FUNCTION_ERROR\"", await response.Content.ReadAsStringAsync());
    }
}
