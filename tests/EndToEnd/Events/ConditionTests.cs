using System.Text.Json.Nodes;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Conditions and options follow tables and columns, not their names. A failed condition is evaluated again.</summary>
public sealed class ConditionTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task Condition_keeps_working_when_its_table_or_schema_is_renamed_or_moved()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, status text",
            """{"when": "new.status = 'paid'"}""",
            "{INSERT}"
        );
        await harness.ExecuteAsync("insert into $t values (1, 'paid'), (2, 'open')");
        await harness.ExecuteAsync("alter table $t rename to $t_b; insert into $t_b values (3, 'paid'), (4, 'open')");
        await harness.ExecuteAsync(
            "create schema $t_s; alter table $t_b set schema $t_s; insert into $t_s.$t_b values (5, 'paid'), (6, 'open')"
        );
        await harness.ExecuteAsync("alter schema $t_s rename to $t_z; insert into $t_z.$t_b values (7, 'paid'), (8, 'open')");
        var ids = Ids(await harness.EventsAsync());
        Assert.Equal([1, 3, 5, 7], ids);
        await NoDeadLettersAsync(harness);
    }

    [Fact]
    public async Task Condition_keeps_working_when_columns_are_renamed_swapped_added_and_dropped()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "gone text, id int primary key, total int, other int",
            """{"when": "new.total is distinct from old.total and new.other = 1"}""",
            "{UPDATE}"
        );
        await harness.ExecuteAsync("insert into $t values ('x', 1, 1, 1)");
        await harness.ExecuteAsync("update $t set total = 2");
        await harness.ExecuteAsync("update $t set other = 1");
        await harness.ExecuteAsync("alter table $t rename total to amount; update $t set amount = 3");
        await harness.ExecuteAsync(
            "begin; alter table $t rename amount to tmp; alter table $t rename other to amount; alter table $t rename tmp to other; update $t set other = 4; commit"
        );
        await harness.ExecuteAsync("update $t set amount = 1");
        await harness.ExecuteAsync("alter table $t drop gone, add note text; update $t set other = 5, note = 'n'");
        await harness.ExecuteAsync("update $t set note = 'm'");
        var totals = (await harness.EventsAsync()).Select(
            (one, i) => (int)one["new"]![((string[])["total", "amount", "other", "other"])[i]]!
        );
        Assert.Equal([2, 3, 4, 5], totals);
        await NoDeadLettersAsync(harness);
    }

    [Fact]
    public async Task The_option_columns_follows_a_renamed_column()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, total int, note text",
            """{"columns": ["total"]}""",
            "{UPDATE}"
        );
        await harness.ExecuteAsync("insert into $t values (1, 1, 'a')");
        await harness.ExecuteAsync("alter table $t rename total to amount");
        await harness.ExecuteAsync("update $t set note = 'b'");
        await harness.ExecuteAsync("update $t set amount = 2");
        Assert.Equal("""["amount"]""", Assert.Single(await harness.EventsAsync())["changed_columns"]!.ToJsonString());
        Assert.Equal(
            "amount",
            await harness.ScalarAsync<string>($"select columns[1] from functions.triggers where name = '{harness.Trigger}'")
        );
    }

    [Fact]
    public async Task The_option_order_by_follows_a_renamed_column()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, grp int", """{"order_by": "grp"}""", "{INSERT}");
        await harness.ExecuteAsync($"select functions.disable('{harness.Function}')");
        await harness.ExecuteAsync("insert into $t values (1, 7)");
        await harness.ExecuteAsync("alter table $t rename grp to team; insert into $t values (2, 7), (3, 8)");
        await harness.EventsAsync();
        var keys = await harness.ScalarAsync<long[]>(
            $"""
            select array_agg(d.order_key order by (e.payload -> 'new' ->> 'id')::int)
            from functions_private.events e join functions_private.deliveries d on d.event_id = e.id where e.trigger = '{harness.Trigger}'
            """
        );
        Assert.Equal((keys[0], 3), (keys[1], keys.Length));
        Assert.NotEqual(keys[0], keys[2]);
        Assert.Equal(
            "team",
            await harness.ScalarAsync<string>($"select order_by[1] from functions.triggers where name = '{harness.Trigger}'")
        );
    }

    [Fact]
    public async Task Condition_over_a_dropped_column_produces_dead_letters_that_name_it()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, total int",
            """{"when": "new.total > 1"}""",
            "{INSERT}"
        );
        await harness.ExecuteAsync("insert into $t values (1, 2)");
        await harness.ExecuteAsync("alter table $t drop total; insert into $t values (2)");
        await harness.EventsAsync();
        Assert.Equal(
            "The trigger's condition can't be evaluated: column new.total does not exist",
            await harness.ScalarAsync<string>($"select error_message from functions.dead_letters where trigger = '{harness.Trigger}'")
        );
    }

    [Fact]
    public async Task Redrive_of_a_failed_condition_evaluates_it_again()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, n int, b bytea",
            """{"when": "10 / new.n > 1 and new.b = '\\xff00'"}""",
            "{INSERT}"
        );
        await harness.ExecuteAsync("""insert into $t values (1, 0, '\xff00'), (2, 0, '\xff')""");
        await harness.EventsAsync();
        Assert.Equal(2, await LettersAsync(harness));

        // Fails again: dead letters again.
        await RedriveAsync(harness);
        await sidecar.EventuallyAsync<int>(
            "select 1 where not exists (select from functions_private.dead_letters where trigger = $1 and asked_again)",
            harness.Trigger
        );
        Assert.Equal(2, await LettersAsync(harness));

        // The condition holds for the first row and not for the second.
        await harness.CreateTriggerAsync("""{"when": "new.b = '\\xff00'"}""", "{INSERT}");
        await RedriveAsync(harness);
        await sidecar.EventuallyAsync<int>(
            "select 1 where not exists (select from functions_private.dead_letters where trigger = $1)",
            harness.Trigger
        );
        await harness.DeliveredAsync();
        var ids = Ids(await harness.EventsAsync());
        Assert.Equal([1], ids);
    }

    [Fact]
    public async Task Backfill_evaluates_its_condition_and_the_triggers_with_the_column_names_of_each()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, total int",
            """{"when": "new.total > 1"}""",
            "{UPDATE}"
        );
        await harness.ExecuteAsync("insert into $t select n, n from generate_series(1, 5) n; alter table $t rename total to amount");
        await harness.ExecuteAsync($"select functions.backfill('{harness.Trigger}', 'amount < 4')");
        await sidecar.EventuallyAsync<string>(
            "select status from functions.backfills where trigger = $1 and status = 'done'",
            harness.Trigger
        );
        var ids = Ids(await harness.EventsAsync()).Order();
        Assert.Equal([2, 3], ids);
    }

    [Fact]
    public async Task Backfill_runs_no_code_of_the_table_owner_with_the_sidecars_rights()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", "{}", "{INSERT}");
        await harness.ExecuteAsync(
            """
            create schema $t_s; grant usage on schema $t_s to public;
            create function $t_s.evil() returns boolean language plpgsql as $$ begin raise exception 'ran as %', current_user; end $$;
            insert into $t values (1);
            """
        );
        await harness.ExecuteAsync($"select functions.backfill('{harness.Trigger}', '{harness.Table}_s.evil()')");
        Assert.Contains(
            "ran as pgfn_conditions",
            await sidecar.EventuallyAsync<string>(
                "select error from functions.backfills where trigger = $1 and status = 'failed'",
                harness.Trigger
            ),
            StringComparison.Ordinal
        );
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            harness.ExecuteAsync($"select functions.backfill('{harness.Trigger}', 'id in (select 1)')")
        );
        Assert.Equal("option where_clause: a condition can't have a subquery", refused.MessageText);
    }

    private static Task<long> RedriveAsync(TriggerHarness harness) =>
        harness.ScalarAsync<long>($$"""select functions.redrive('{"trigger": "{{harness.Trigger}}"}')""");

    private static Task<long> LettersAsync(TriggerHarness harness) =>
        harness.ScalarAsync<long>(
            $"select count(*) from functions.dead_letters where trigger = '{harness.Trigger}' and error_code = 'CONDITION_FAILED'"
        );

    private static async Task NoDeadLettersAsync(TriggerHarness harness) =>
        Assert.Null(
            await harness.ScalarAsync<string>(
                $"select string_agg(error_message, '; ') from functions.dead_letters where trigger = '{harness.Trigger}'"
            )
        );

    private static int[] Ids(IEnumerable<JsonNode> events) => [.. events.Select(one => (int)one["new"]!["id"]!)];
}
