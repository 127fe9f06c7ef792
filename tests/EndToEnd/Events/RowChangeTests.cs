using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Which changes make events: what committed, once, and nothing else.</summary>
public sealed class RowChangeTests(SidecarFixture sidecar)
{
    [Fact]
    [Trait("Case", "1")]
    [Trait("Case", "8")]
    public async Task Committed_insert_runs_the_function_which_sees_the_row()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, name text",
            source: """
            export async function handler(event) {
              const [row] = await db.query(`select * from ${event.table} where id = $1`, [event.new.id]);
              console.log(JSON.stringify([event.operation, row, event.attempt]));
            }
            """
        );
        await harness.ExecuteAsync("insert into $t values (1, 'one')");
        Assert.Equal(
            """["INSERT",{"id":1,"name":"one"},1]""",
            await sidecar.EventuallyAsync<string>("select message from functions.logs where function = $1", harness.Function)
        );
        Assert.Single(await harness.EventsAsync());
    }

    [Fact]
    [Trait("Case", "2")]
    [Trait("Case", "3")]
    [Trait("Case", "4")]
    public async Task Rolled_back_changes_never_fire()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key");
        await harness.ExecuteAsync("begin; insert into $t values (1); rollback");
        await harness.ExecuteAsync(
            "begin; insert into $t values (2); savepoint s; insert into $t values (3); rollback to s; insert into $t values (4); commit"
        );
        await harness.ExecuteAsync(
            "begin; select pg_logical_emit_message(false, 'functions.context', 'x'); insert into $t values (5); rollback"
        );
        Assert.Equal([2, 4], (await harness.EventsAsync()).Select(one => (int)one["new"]!["id"]!));
    }

    [Fact]
    [Trait("Case", "26")]
    public async Task Each_changed_row_has_exactly_one_event()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, n int");
        await harness.ExecuteAsync("insert into $t values (1, 1), (2, 2)");
        await harness.ExecuteAsync("insert into $t values (1, 9) on conflict do nothing");
        await harness.ExecuteAsync("insert into $t values (1, 9) on conflict (id) do update set n = excluded.n");
        await harness.ExecuteAsync("update $t set n = n where id = 2");
        await harness.ExecuteAsync(
            "merge into $t using (values (2, 20), (3, 30)) v (id, n) on $t.id = v.id when matched then delete when not matched then insert values (v.id, v.n)"
        );
        await harness.ExecuteAsync("update $t set n = 0 where id = 77");
        var events = (await harness.EventsAsync()).Select(one => $"{one["operation"]} {(one["new"] ?? one["old"])!["id"]}").ToList();
        Assert.Equal(["INSERT 1", "INSERT 2", "UPDATE 1", "UPDATE 2"], events[..4]);
        Assert.Equal(["DELETE 2", "INSERT 3"], events[4..].Order(StringComparer.Ordinal));
    }

    /// <summary>
    /// So quickly that they are read and stored in groups, and that the one which is stored in parts begins behind others.
    /// </summary>
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Small_and_large_transactions_produce_one_event_per_change_in_commit_order()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key",
            """{"when":"new.id % 10 <> 9","batch_size":1000}""",
            "{INSERT}"
        );
        Task SmallAsync(int from) =>
            harness.ExecuteAsync(
                $"do $$ begin set synchronous_commit = off; for i in {from}..{from + 2999} loop insert into $t values (i); commit; end loop; end $$"
            );
        var first = SmallAsync(0);
        var second = SmallAsync(10_000);
        await harness.ExecuteAsync("insert into $t select generate_series(20000, 24999)");
        await Task.WhenAll(first, second);

        var ids = (await harness.EventsAsync()).Select(one => (int)one["new"]!["id"]!).ToList();
        foreach (var (from, count) in new[] { (0, 3000), (10_000, 3000), (20_000, 5000) })
        {
            Assert.Equal(Enumerable.Range(from, count).Where(id => id % 10 != 9), ids.Where(id => id >= from && id < from + count));
        }
        Assert.Equal(11_000 / 10 * 9, ids.Count);
        await harness.DeliveredAsync();
        Assert.Equal(
            0L,
            await harness.ScalarAsync<long>($"select count(*) from functions.dead_letters where trigger = '{harness.Trigger}'")
        );
    }

    [Fact]
    [Trait("Case", "27")]
    public async Task Truncate_of_several_tables_is_one_event_per_table()
    {
        var first = await TriggerHarness.CreateAsync(sidecar, "id int primary key", operations: "{TRUNCATE}");
        var second = await TriggerHarness.CreateAsync(sidecar, "id int primary key", operations: "{TRUNCATE}");
        await first.ExecuteAsync("insert into $t values (1)");
        await first.ExecuteAsync($"truncate $t, {second.Table}");
        foreach (var harness in new[] { first, second })
        {
            var only = Assert.Single(await harness.EventsAsync());
            Assert.Equal(
                ("TRUNCATE", harness.Table, null, null),
                ((string)only["operation"]!, (string)only["table"]!, only["old"], only["new"])
            );
        }
    }

    [Fact]
    [Trait("Case", "9")]
    public async Task Rows_of_one_COPY_have_distinct_ids_in_their_order()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key");
        await using (var connection = await sidecar.Database.Owner.OpenConnectionAsync())
        {
            await using var copy = await connection.BeginTextImportAsync($"copy {harness.Table} from stdin");
            for (var i = 0; i < 3000; i++)
                await copy.WriteAsync($"{i}\n");
        }
        var events = await harness.EventsAsync();
        Assert.Equal(Enumerable.Range(0, 3000), events.Select(one => (int)one["new"]!["id"]!));
        Assert.Equal(3000, events.Select(one => (string)one["event_id"]!).Distinct().Count());
    }

    [Fact]
    [Trait("Case", "30")]
    public async Task Trigger_fires_for_the_changes_of_a_transaction_after_its_creation_and_for_none_before()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key");
        await harness.ExecuteAsync("select functions.drop_trigger('on_$t')");
        await harness.ExecuteAsync("insert into $t values (1)");
        await using (var writer = await sidecar.Database.Owner.OpenConnectionAsync())
        {
            await using var open = await writer.BeginTransactionAsync();
            await using (var write = new Npgsql.NpgsqlCommand($"insert into {harness.Table} values (2)", writer))
                await write.ExecuteNonQueryAsync();
            var creating = harness.CreateTriggerAsync();
            await sidecar.EventuallyAsync<int>("select 1 from pg_locks l where l.relation = $1::regclass and not l.granted", harness.Table);
            await using (var write = new Npgsql.NpgsqlCommand($"insert into {harness.Table} values (3)", writer))
                await write.ExecuteNonQueryAsync();
            await open.CommitAsync();
            await creating;
        }
        await harness.ExecuteAsync("begin; insert into $t values (4); insert into $t values (5); commit");
        Assert.Equal([4, 5], (await harness.EventsAsync()).Select(one => (int)one["new"]!["id"]!));
    }

    [Theory]
    [InlineData("begin; create table {0} (id int primary key)", "")]
    [InlineData("begin", "")]
    [InlineData("begin; insert into {0}_2 values (0)", "; select functions.create_trigger('on_{0}_3', '{1}', '{0}_2', '{{DELETE}}')")]
    public async Task Trigger_fires_for_later_writes_of_its_own_transaction(string before, string more)
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int");
        var (table, trigger) = (harness.Table + "_made", harness.Trigger + "_made");
        await harness.ExecuteAsync($"create table {table}_2 (id int primary key)");
        if (!before.Contains("create table", StringComparison.Ordinal))
            await harness.ExecuteAsync($"create table {table} (id int primary key)");
        await harness.ExecuteAsync(
            $"""
            {string.Format(System.Globalization.CultureInfo.InvariantCulture, before, table)};
            select functions.create_trigger('{trigger}', '{harness.Function}', '{table}'){string.Format(
                System.Globalization.CultureInfo.InvariantCulture,
                more,
                table,
                harness.Function
            )};
            insert into {table} values (1); update {table} set id = 2; delete from {table}; insert into {table} values (3);
            commit
            """
        );
        await harness.EventsAsync();
        Assert.Equal(
            "INSERT, UPDATE, DELETE, INSERT",
            await harness.ScalarAsync<string>(
                $"select string_agg(payload ->> 'operation', ', ' order by id) from functions_private.events where trigger = '{trigger}'"
            )
        );
    }

    [Fact]
    public async Task Event_contains_all_details_of_the_change()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, name text, n int");
        await harness.ExecuteAsync("insert into $t values (7, 'old', 1)");
        await harness.ExecuteAsync("update $t set name = 'new' where id = 7");
        var update = (await harness.EventsAsync())[1];
        Assert.Equal("""{"id":7,"name":"old","n":1}""", update["old"]!.ToJsonString());
        Assert.Equal("""{"id":7,"name":"new","n":1}""", update["new"]!.ToJsonString());
        Assert.Equal("""["name"]""", update["changed_columns"]!.ToJsonString());
        Assert.Equal(
            ("database", "public", harness.Table, "UPDATE", harness.Trigger, "all"),
            (
                (string)update["trigger"]!,
                (string)update["schema"]!,
                (string)update["table"]!,
                (string)update["operation"]!,
                (string)update["trigger_name"]!,
                (string)update["old_columns"]!
            )
        );
        Assert.True(
            (bool)
                await harness.ScalarAsync<bool>(
                    $"select xmin::text::bigint = {update["transaction_id"]} % 4294967296 and '{update["commit_lsn"]}'::pg_lsn < pg_current_wal_lsn() from $t"
                )
        );
        Assert.Null((JsonNode?)update["claims"]);
    }
}
