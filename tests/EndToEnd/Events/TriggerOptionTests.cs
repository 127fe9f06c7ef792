using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>The options of triggers, and invalid ones.</summary>
public sealed class TriggerOptionTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Option_columns_limits_which_updates_fire()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, a text, b text", """{"columns": ["a"]}""", "{UPDATE}");
        await harness.ExecuteAsync("insert into $t values (1, 'x', 'x')");
        await harness.ExecuteAsync("update $t set b = 'y'");
        await harness.ExecuteAsync("update $t set a = 'z'");
        await harness.ExecuteAsync("update $t set a = 'z'");
        Assert.Equal("z", (string)Assert.Single(await harness.EventsAsync())["new"]!["a"]!);
    }

    [Fact]
    public async Task Batch_is_passed_to_one_invocation()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key",
            """{"batch_size": 50}""",
            source: "export const handler = event => console.log(event.batch, event.events.length, event.events.every(one => one.attempt === 1));"
        );
        await harness.ExecuteAsync("insert into $t select generate_series(1, 50)");
        await harness.DeliveredAsync();
        Assert.Equal(
            50,
            await sidecar.EventuallyAsync<long>(
                "select sum(split_part(message, ' ', 2)::int)::bigint from functions.logs where function = $1 and message like 'true % true' having sum(split_part(message, ' ', 2)::int) = 50",
                harness.Function
            )
        );
        Assert.True(
            await harness.ScalarAsync<long>($"select count(*) from functions.invocations where function = '{harness.Function}'") < 50
        );
    }

    [Fact]
    public async Task Disabled_trigger_does_not_fire_and_an_altered_one_uses_its_latest_options()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key");
        await harness.ExecuteAsync("insert into $t values (1)");
        await harness.ExecuteAsync("select functions.disable_trigger('on_$t')");
        await harness.ExecuteAsync("insert into $t values (2)");
        await harness.ExecuteAsync("select functions.enable_trigger('on_$t')");
        await harness.ExecuteAsync("insert into $t values (3)");
        await harness.CreateTriggerAsync(operations: "{DELETE}");
        await harness.ExecuteAsync("insert into $t values (4)");
        await harness.ExecuteAsync("delete from $t where id = 4");
        await harness.ExecuteAsync("select functions.drop_trigger('on_$t')");
        await harness.ExecuteAsync("delete from $t");
        Assert.Equal(
            ["INSERT 1", "INSERT 3", "DELETE 4"],
            (await harness.EventsAsync()).Select(one => $"{one["operation"]} {(one["new"] ?? one["old"])!["id"]}")
        );
    }

    [Fact]
    [Trait("Case", "37")]
    public async Task Poison_event_becomes_a_dead_letter_without_blocking_others_and_can_be_redriven()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, name text",
            """{"order_by": "id", "retries": 2, "backoff_ms": 10}""",
            source: """
            export async function handler(event) {
              console.log(event.new.id, event.attempt, event.event_id);
              if (event.new.name === 'poison' && !(await db.query(`select 1 from ${event.table} where id = 0`)).length) throw new Error('poisoned');
            }
            """
        );
        await harness.ExecuteAsync("insert into $t values (1, 'poison'), (2, 'fine')");
        Assert.Equal(
            "poisoned FUNCTION_ERROR 3",
            await sidecar.EventuallyAsync<string>(
                "select error_message || ' ' || error_code || ' ' || attempts from functions.dead_letters where function = $1",
                harness.Function
            )
        );
        await harness.DeliveredAsync();
        Assert.Equal(
            3,
            await sidecar.EventuallyAsync<long>(
                "select count(*) from functions.logs where function = $1 and message like '1 %' having count(*) = 3 and count(distinct split_part(message, ' ', 3)) = 1",
                harness.Function
            )
        );
        Assert.Equal(
            "dead",
            await harness.ScalarAsync<string>(
                $"select status from functions.events where function = '{harness.Function}' and payload -> 'new' ->> 'id' = '1'"
            )
        );
        await harness.ExecuteAsync("insert into $t values (0, 'antidote')");
        Assert.Equal(1, await harness.ScalarAsync<long>($$"""select functions.redrive('{"function": "{{harness.Function}}"}')"""));
        await harness.DeliveredAsync();
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>($"select count(*) from functions.dead_letters where function = '{harness.Function}'")
        );
        Assert.Equal(
            "done",
            await harness.ScalarAsync<string>(
                $"select status from functions.events where function = '{harness.Function}' and payload -> 'new' ->> 'id' = '1'"
            )
        );
    }

    [Fact]
    [Trait("Case", "38")]
    public async Task Events_of_one_key_run_in_commit_order_even_when_some_fail()
    {
        await sidecar.Database.ExecuteAsync(
            "create table steps (n bigserial, key int, step int); grant all on steps to service_role; grant usage on steps_n_seq to service_role"
        );
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "key int, step int",
            """{"order_by": "key", "retries": 20, "backoff_ms": 10, "max_backoff_ms": 20}""",
            source: """
            export async function handler(event) {
              if (Math.random() < 0.2) throw new Error('again');
              await db.query('insert into steps (key, step) values ($1, $2)', [event.new.key, event.new.step]);
            }
            """
        );
        await harness.ExecuteAsync("insert into $t select key, step from generate_series(1, 20) step, generate_series(1, 5) key");
        await harness.DeliveredAsync();
        Assert.Equal(100, await harness.ScalarAsync<long>("select count(*) from steps"));
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                "select count(*) from (select step, lag(step) over (partition by key order by n) as before from steps) s where step < before"
            )
        );
    }

    [Fact]
    public async Task Trigger_loop_ends_with_a_dead_letter_that_explains_it()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, n int",
            source: "export const handler = event => db.query(`update ${event.table} set n = n + 1 where id = $1`, [event.new.id]);"
        );
        await harness.ExecuteAsync("insert into $t values (1, 0)");
        Assert.Contains(
            "17 deep; 16 is the limit",
            await sidecar.EventuallyAsync<string>(
                "select error_message from functions.dead_letters where function = $1 and error_code = 'LOOP_DETECTED'",
                harness.Function
            ),
            StringComparison.Ordinal
        );
        Assert.Equal(17, await harness.ScalarAsync<int>("select n from $t"));
    }

    [Fact]
    public async Task Failed_condition_produces_a_dead_letter_and_blocks_no_other_event()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, n int", """{"when": "1 / new.n > 0"}""");
        await harness.ExecuteAsync("insert into $t values (1, 1), (2, 0), (3, 1)");
        Assert.Contains(
            "division by zero",
            await sidecar.EventuallyAsync<string>(
                "select error_message from functions.dead_letters where function = $1 and error_code = 'CONDITION_FAILED'",
                harness.Function
            ),
            StringComparison.Ordinal
        );
        Assert.Equal([1, 2, 3], (await harness.EventsAsync()).Select(one => (int)one["new"]!["id"]!));
    }

    [Fact]
    public async Task Existing_rows_can_be_backfilled()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, exact numeric, twice int generated always as (id * 2) stored"
        );
        await harness.ExecuteAsync("select functions.disable_trigger('on_$t')");
        await harness.ExecuteAsync("insert into $t select i, i + 0.50 from generate_series(1, 2500) i");
        await harness.ExecuteAsync("select functions.enable_trigger('on_$t')");
        await harness.ExecuteAsync("select functions.backfill('on_$t', 'id > 10')");
        Assert.Equal(
            2490,
            await sidecar.EventuallyAsync<long>(
                "select rows from functions.backfills where trigger = $1 and status = 'done'",
                harness.Trigger
            )
        );
        var events = await harness.EventsAsync();
        Assert.Equal(2490, events.Select(one => (int)one["new"]!["id"]!).Distinct().Count());
        // From PostgreSQL 18 on, stored generated columns are published.
        var generated = await sidecar.Database.ScalarAsync<bool>("select current_setting('server_version_num')::int >= 180000")
            ? ""","twice":22"""
            : "";
        Assert.Equal(
            $$"""{"id":11,"exact":"11.50"{{generated}}}""",
            events.Single(one => (int)one["new"]!["id"]! == 11)["new"]!.ToJsonString()
        );
        Assert.All(events, one => Assert.True((bool)one["backfill"]!));
        await harness.DeliveredAsync();
    }

    [Theory]
    [InlineData("create view $n as select 1 as id", "is a view")]
    [InlineData("create unlogged table $n (id int primary key)", "UNLOGGED")]
    [InlineData("create materialized view $n as select 1 as id", "materialized view")]
    [InlineData(
        "create table $n (id int) partition by range (id); create table $n_1 partition of $n for values from (1) to (2)",
        "is a partition",
        "$n_1"
    )]
    [InlineData("create table $n (id int primary key)", "has no column", "$n", """{"order_by": "nope"}""")]
    [InlineData("create table $n (id int primary key)", "option when", "$n", """{"when": "new.nope"}""")]
    [InlineData("create table $n (id int primary key)", "unknown option", "$n", """{"colour": 1}""")]
    [InlineData("create table $n (id int primary key)", "batch_size must be", "$n", """{"batch_size": 0}""")]
    [InlineData("create table $n (id int primary key)", "functions may not run as", "$n", """{"role": "postgres"}""")]
    public async Task Invalid_triggers_are_refused_with_the_reason(string table, string reason, string on = "$n", string options = "{}")
    {
        var name = $"refused_{Guid.NewGuid():n}"[..20];
        await sidecar.Database.ExecuteAsync(table.Replace("$n", name, StringComparison.Ordinal));
        var function = await sidecar.DeployAsync(TriggerHarness.Nothing);
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            sidecar.Database.ExecuteAsync(
                $"select functions.create_trigger('{name}', '{function}', '{on.Replace("$n", name, StringComparison.Ordinal)}', options => '{options}')"
            )
        );
        Assert.Contains(reason, refused.MessageText, StringComparison.Ordinal);
        Assert.Equal(0, await sidecar.Database.ScalarAsync<long>($"select count(*) from functions.triggers where name = '{name}'"));
    }
}
