using System.Text.Json.Nodes;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Conditions and options follow tables and columns, not their names; a condition that failed is asked again.</summary>
public sealed class ConditionTests(SidecarFixture sidecar)
{
    [Fact]
    public async Task A_condition_goes_on_when_its_table_or_schema_is_renamed_or_its_table_moves()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, status text", """{"when": "new.status = 'paid'"}""", "{INSERT}");
        await stage.ExecuteAsync("insert into $t values (1, 'paid'), (2, 'open')");
        await stage.ExecuteAsync("alter table $t rename to $t_b; insert into $t_b values (3, 'paid'), (4, 'open')");
        await stage.ExecuteAsync("create schema $t_s; alter table $t_b set schema $t_s; insert into $t_s.$t_b values (5, 'paid'), (6, 'open')");
        await stage.ExecuteAsync("alter schema $t_s rename to $t_z; insert into $t_z.$t_b values (7, 'paid'), (8, 'open')");
        var ids = Ids(await stage.EventsAsync());
        Assert.Equal([1, 3, 5, 7], ids);
        await NoDeadLettersAsync(stage);
    }

    [Fact]
    public async Task A_condition_goes_on_when_columns_are_renamed_swapped_added_and_dropped()
    {
        var stage = await TriggerStage.CreateAsync(
            sidecar, "gone text, id int primary key, total int, other int", """{"when": "new.total is distinct from old.total and new.other = 1"}""", "{UPDATE}");
        await stage.ExecuteAsync("insert into $t values ('x', 1, 1, 1)");
        await stage.ExecuteAsync("update $t set total = 2");
        await stage.ExecuteAsync("update $t set other = 1");
        await stage.ExecuteAsync("alter table $t rename total to amount; update $t set amount = 3");
        await stage.ExecuteAsync("begin; alter table $t rename amount to tmp; alter table $t rename other to amount; alter table $t rename tmp to other; update $t set other = 4; commit");
        await stage.ExecuteAsync("update $t set amount = 1");
        await stage.ExecuteAsync("alter table $t drop gone, add note text; update $t set other = 5, note = 'n'");
        await stage.ExecuteAsync("update $t set note = 'm'");
        var totals = (await stage.EventsAsync()).Select((one, i) => (int)one["new"]![((string[])["total", "amount", "other", "other"])[i]]!);
        Assert.Equal([2, 3, 4, 5], totals);
        await NoDeadLettersAsync(stage);
    }

    [Fact]
    public async Task The_option_columns_follows_a_renamed_column()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, total int, note text", """{"columns": ["total"]}""", "{UPDATE}");
        await stage.ExecuteAsync("insert into $t values (1, 1, 'a')");
        await stage.ExecuteAsync("alter table $t rename total to amount");
        await stage.ExecuteAsync("update $t set note = 'b'");
        await stage.ExecuteAsync("update $t set amount = 2");
        Assert.Equal("""["amount"]""", Assert.Single(await stage.EventsAsync())["changed_columns"]!.ToJsonString());
        Assert.Equal("amount", await stage.ScalarAsync<string>($"select columns[1] from functions.triggers where name = '{stage.Trigger}'"));
    }

    [Fact]
    public async Task The_option_order_by_follows_a_renamed_column()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, grp int", """{"order_by": "grp"}""", "{INSERT}");
        await stage.ExecuteAsync($"select functions.disable('{stage.Function}')");
        await stage.ExecuteAsync("insert into $t values (1, 7)");
        await stage.ExecuteAsync("alter table $t rename grp to team; insert into $t values (2, 7), (3, 8)");
        await stage.EventsAsync();
        var keys = await stage.ScalarAsync<long[]>($"""
            select array_agg(d.order_key order by (e.payload -> 'new' ->> 'id')::int)
            from functions_private.events e join functions_private.deliveries d on d.event_id = e.id where e.trigger = '{stage.Trigger}'
            """);
        Assert.Equal((keys[0], 3), (keys[1], keys.Length));
        Assert.NotEqual(keys[0], keys[2]);
        Assert.Equal("team", await stage.ScalarAsync<string>($"select order_by[1] from functions.triggers where name = '{stage.Trigger}'"));
    }

    [Fact]
    public async Task A_condition_over_a_dropped_column_makes_dead_letters_that_say_so()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, total int", """{"when": "new.total > 1"}""", "{INSERT}");
        await stage.ExecuteAsync("insert into $t values (1, 2)");
        await stage.ExecuteAsync("alter table $t drop total; insert into $t values (2)");
        await stage.EventsAsync();
        Assert.Equal("The trigger's condition can't be evaluated: column new.total does not exist", await stage.ScalarAsync<string>(
            $"select error_message from functions.dead_letters where trigger = '{stage.Trigger}'"));
    }

    [Fact]
    public async Task A_redriven_failure_of_a_condition_asks_it_again()
    {
        var stage = await TriggerStage.CreateAsync(
            sidecar, "id int primary key, n int, b bytea", """{"when": "10 / new.n > 1 and new.b = '\\xff00'"}""", "{INSERT}");
        await stage.ExecuteAsync("""insert into $t values (1, 0, '\xff00'), (2, 0, '\xff')""");
        await stage.EventsAsync();
        Assert.Equal(2, await LettersAsync(stage));

        // Fails again: dead letters again.
        await RedriveAsync(stage);
        await sidecar.EventuallyAsync<int>("select 1 where not exists (select from functions_private.dead_letters where trigger = $1 and asked_again)", stage.Trigger);
        Assert.Equal(2, await LettersAsync(stage));

        // Holds for the first and not for the second.
        await stage.CreateTriggerAsync("""{"when": "new.b = '\\xff00'"}""", "{INSERT}");
        await RedriveAsync(stage);
        await sidecar.EventuallyAsync<int>("select 1 where not exists (select from functions_private.dead_letters where trigger = $1)", stage.Trigger);
        await stage.DeliveredAsync();
        var ids = Ids(await stage.EventsAsync());
        Assert.Equal([1], ids);
    }

    [Fact]
    public async Task A_backfill_asks_its_condition_and_the_trigger_s_by_the_names_of_each()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, total int", """{"when": "new.total > 1"}""", "{UPDATE}");
        await stage.ExecuteAsync("insert into $t select n, n from generate_series(1, 5) n; alter table $t rename total to amount");
        await stage.ExecuteAsync($"select functions.backfill('{stage.Trigger}', 'amount < 4')");
        await sidecar.EventuallyAsync<string>("select status from functions.backfills where trigger = $1 and status = 'done'", stage.Trigger);
        var ids = Ids(await stage.EventsAsync()).Order();
        Assert.Equal([2, 3], ids);
    }

    [Fact]
    public async Task A_backfill_runs_no_code_of_the_table_s_owner_with_the_sidecar_s_rights()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key", "{}", "{INSERT}");
        await stage.ExecuteAsync("""
            create schema $t_s; grant usage on schema $t_s to public;
            create function $t_s.evil() returns boolean language plpgsql as $$ begin raise exception 'ran as %', current_user; end $$;
            insert into $t values (1);
            """);
        await stage.ExecuteAsync($"select functions.backfill('{stage.Trigger}', '{stage.Table}_s.evil()')");
        Assert.Contains("ran as pgfn_conditions", await sidecar.EventuallyAsync<string>(
            "select error from functions.backfills where trigger = $1 and status = 'failed'", stage.Trigger), StringComparison.Ordinal);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => stage.ExecuteAsync($"select functions.backfill('{stage.Trigger}', 'id in (select 1)')"));
        Assert.Equal("option where_clause: a condition can't have a subquery", refused.MessageText);
    }

    private static Task<long> RedriveAsync(TriggerStage stage) => stage.ScalarAsync<long>($$"""select functions.redrive('{"trigger": "{{stage.Trigger}}"}')""");

    private static Task<long> LettersAsync(TriggerStage stage) =>
        stage.ScalarAsync<long>($"select count(*) from functions.dead_letters where trigger = '{stage.Trigger}' and error_code = 'CONDITION_FAILED'");

    private static async Task NoDeadLettersAsync(TriggerStage stage) =>
        Assert.Null(await stage.ScalarAsync<string>($"select string_agg(error_message, '; ') from functions.dead_letters where trigger = '{stage.Trigger}'"));

    private static int[] Ids(IEnumerable<JsonNode> events) => [.. events.Select(one => (int)one["new"]!["id"]!)];
}
