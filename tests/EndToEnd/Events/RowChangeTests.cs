using System.Text.Json.Nodes;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Which changes make events: what committed, once, and nothing else.</summary>
public sealed class RowChangeTests(SidecarFixture sidecar)
{
    [Fact]
    [Trait("Case", "1")]
    [Trait("Case", "8")]
    public async Task A_committed_insert_runs_the_function_which_finds_its_row()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, name text", source: """
            export async function handler(event) {
              const [row] = await db.query(`select * from ${event.table} where id = $1`, [event.new.id]);
              console.log(JSON.stringify([event.operation, row, event.attempt]));
            }
            """);
        await stage.ExecuteAsync("insert into $t values (1, 'one')");
        Assert.Equal("""["INSERT",{"id":1,"name":"one"},1]""",
            await sidecar.EventuallyAsync<string>("select message from functions.logs where function = $1", stage.Function));
        Assert.Single(await stage.EventsAsync());
    }

    [Fact]
    [Trait("Case", "2")]
    [Trait("Case", "3")]
    [Trait("Case", "4")]
    public async Task What_was_rolled_back_never_fires()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key");
        await stage.ExecuteAsync("begin; insert into $t values (1); rollback");
        await stage.ExecuteAsync("begin; insert into $t values (2); savepoint s; insert into $t values (3); rollback to s; insert into $t values (4); commit");
        await stage.ExecuteAsync("begin; select pg_logical_emit_message(false, 'functions.context', 'x'); insert into $t values (5); rollback");
        Assert.Equal([2, 4], (await stage.EventsAsync()).Select(one => (int)one["new"]!["id"]!));
    }

    [Fact]
    [Trait("Case", "26")]
    public async Task There_is_one_event_for_each_row_that_was_really_changed()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, n int");
        await stage.ExecuteAsync("insert into $t values (1, 1), (2, 2)");
        await stage.ExecuteAsync("insert into $t values (1, 9) on conflict do nothing");
        await stage.ExecuteAsync("insert into $t values (1, 9) on conflict (id) do update set n = excluded.n");
        await stage.ExecuteAsync("update $t set n = n where id = 2");
        await stage.ExecuteAsync("merge into $t using (values (2, 20), (3, 30)) v (id, n) on $t.id = v.id when matched then delete when not matched then insert values (v.id, v.n)");
        await stage.ExecuteAsync("update $t set n = 0 where id = 77");
        var events = (await stage.EventsAsync()).Select(one => $"{one["operation"]} {(one["new"] ?? one["old"])!["id"]}").ToList();
        Assert.Equal(["INSERT 1", "INSERT 2", "UPDATE 1", "UPDATE 2"], events[..4]);
        Assert.Equal(["DELETE 2", "INSERT 3"], events[4..].Order(StringComparer.Ordinal));
    }

    /// <summary>So quickly that they are read and stored in groups, and that the one which is stored in parts begins behind others.</summary>
    [Fact]
    public async Task Many_small_transactions_and_a_large_one_among_them_make_each_change_an_event_in_the_order_of_commits()
    {
        var stage = await TriggerStage.CreateAsync(
            sidecar, "id int primary key", """{"when":"new.id % 10 <> 9","batch_size":1000}""", "{INSERT}");
        Task SmallAsync(int from) => stage.ExecuteAsync(
            $"do $$ begin set synchronous_commit = off; for i in {from}..{from + 2999} loop insert into $t values (i); commit; end loop; end $$");
        var first = SmallAsync(0);
        var second = SmallAsync(10_000);
        await stage.ExecuteAsync("insert into $t select generate_series(20000, 24999)");
        await Task.WhenAll(first, second);

        var ids = (await stage.EventsAsync()).Select(one => (int)one["new"]!["id"]!).ToList();
        foreach (var (from, count) in new[] { (0, 3000), (10_000, 3000), (20_000, 5000) })
        {
            Assert.Equal(
                Enumerable.Range(from, count).Where(id => id % 10 != 9),
                ids.Where(id => id >= from && id < from + count));
        }
        Assert.Equal(11_000 / 10 * 9, ids.Count);
        await stage.DeliveredAsync();
        Assert.Equal(0L, await stage.ScalarAsync<long>($"select count(*) from functions.dead_letters where trigger = '{stage.Trigger}'"));
    }

    [Fact]
    [Trait("Case", "27")]
    public async Task A_truncate_of_several_tables_is_one_event_each()
    {
        var first = await TriggerStage.CreateAsync(sidecar, "id int primary key", operations: "{TRUNCATE}");
        var second = await TriggerStage.CreateAsync(sidecar, "id int primary key", operations: "{TRUNCATE}");
        await first.ExecuteAsync("insert into $t values (1)");
        await first.ExecuteAsync($"truncate $t, {second.Table}");
        foreach (var stage in new[] { first, second })
        {
            var only = Assert.Single(await stage.EventsAsync());
            Assert.Equal(("TRUNCATE", stage.Table, null, null), ((string)only["operation"]!, (string)only["table"]!, only["old"], only["new"]));
        }
    }

    [Fact]
    [Trait("Case", "9")]
    public async Task Rows_of_one_COPY_have_ids_of_their_own_in_their_order()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key");
        await using (var connection = await sidecar.Database.Owner.OpenConnectionAsync())
        {
            await using var copy = await connection.BeginTextImportAsync($"copy {stage.Table} from stdin");
            for (var i = 0; i < 3000; i++)
                await copy.WriteAsync($"{i}\n");
        }
        var events = await stage.EventsAsync();
        Assert.Equal(Enumerable.Range(0, 3000), events.Select(one => (int)one["new"]!["id"]!));
        Assert.Equal(3000, events.Select(one => (string)one["event_id"]!).Distinct().Count());
    }

    [Fact]
    [Trait("Case", "30")]
    public async Task A_trigger_fires_for_every_change_of_a_transaction_that_comes_after_it_and_for_none_before()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key");
        await stage.ExecuteAsync("select functions.drop_trigger('on_$t')");
        await stage.ExecuteAsync("insert into $t values (1)");
        await using (var writer = await sidecar.Database.Owner.OpenConnectionAsync())
        {
            await using var open = await writer.BeginTransactionAsync();
            await using (var write = new Npgsql.NpgsqlCommand($"insert into {stage.Table} values (2)", writer))
                await write.ExecuteNonQueryAsync();
            var creating = stage.CreateTriggerAsync();
            await sidecar.EventuallyAsync<int>(
                "select 1 from pg_locks l where l.relation = $1::regclass and not l.granted", stage.Table);
            await using (var write = new Npgsql.NpgsqlCommand($"insert into {stage.Table} values (3)", writer))
                await write.ExecuteNonQueryAsync();
            await open.CommitAsync();
            await creating;
        }
        await stage.ExecuteAsync("begin; insert into $t values (4); insert into $t values (5); commit");
        Assert.Equal([4, 5], (await stage.EventsAsync()).Select(one => (int)one["new"]!["id"]!));
    }

    [Fact]
    public async Task The_event_tells_all_that_is_known_of_the_change()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key, name text, n int");
        await stage.ExecuteAsync("insert into $t values (7, 'old', 1)");
        await stage.ExecuteAsync("update $t set name = 'new' where id = 7");
        var update = (await stage.EventsAsync())[1];
        Assert.Equal("""{"id":7,"name":"old","n":1}""", update["old"]!.ToJsonString());
        Assert.Equal("""{"id":7,"name":"new","n":1}""", update["new"]!.ToJsonString());
        Assert.Equal("""["name"]""", update["changed_columns"]!.ToJsonString());
        Assert.Equal(("database", "public", stage.Table, "UPDATE", stage.Trigger, "all"), (
            (string)update["trigger"]!, (string)update["schema"]!, (string)update["table"]!, (string)update["operation"]!,
            (string)update["trigger_name"]!, (string)update["old_columns"]!));
        Assert.True((bool)await stage.ScalarAsync<bool>(
            $"select xmin::text::bigint = {update["transaction_id"]} % 4294967296 and '{update["commit_lsn"]}'::pg_lsn < pg_current_wal_lsn() from $t"));
        Assert.Null((JsonNode?)update["claims"]);
    }
}
