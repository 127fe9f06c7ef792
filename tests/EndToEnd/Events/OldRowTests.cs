using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// Old rows are reported correctly or marked as missing: with later partitions, replica identities set by hand, with and without the event
/// trigger.
/// </summary>
public sealed class OldRowTests
{
    [Theory]
    [Trait("Speed", "Slow")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_change_of_attached_and_detached_partitions_has_one_event_with_its_rows(bool hasGuard)
    {
        await using var harness = await StartAsync(hasGuard);
        await harness.ExecuteAsync(
            """
            create table logs (id int, day int, status text, note numeric, at timestamptz default '2026-02-06 10:00+02', raw bytea, tags text[]) partition by range (day);
            create table logs_0 partition of logs for values from (0) to (10);
            create table audit (n bigserial, op text, old jsonb, new jsonb);
            create function audit() returns trigger language plpgsql as $$ begin
                insert into audit (op, old, new) values (tg_op, to_jsonb(old) - '{at,raw}'::text[], to_jsonb(new) - '{at,raw}'::text[]); return null; end $$;
            create trigger audit after insert or update or delete on logs for each row execute function audit();
            select functions.create_trigger('logs', 'nothing', 'logs');
            """
        );
        for (var i = 1; i <= 12; i++)
        {
            await harness.ExecuteAsync($"""create table logs_{i} partition of logs for values from ({i * 10}) to ({(i * 10) + 10})""");
            await harness.ExecuteAsync(
                $$"""insert into logs select i, {{i * 10}} + i, 'a "quoted", \ (text)', 1.50, now(), '\x00ff', '{a,"b c",null}' from generate_series(0, 2) i"""
            );
            await harness.ExecuteAsync(
                $"update logs set status = null, note = note + 1 where day >= {i * 10} and id = 1; update logs_{i} set status = ''"
            );
            await harness.ExecuteAsync($"update logs set day = day - 10 where id = 2 and day >= {i * 10}; delete from logs where id = 0");
            if (i % 4 == 0)
                await harness.ExecuteAsync(
                    $"alter table logs detach partition logs_{i - 3}; update logs_{i - 3} set note = 0; alter table logs attach partition logs_{i - 3} for values from ({(i - 3) * 10}) to ({((i - 3) * 10) + 10}); update logs set note = 7"
                );
            if (i % 3 == 0)
                await harness.UntilAsync("(select not exists (select from functions_private.change_plans() where not is_applied))");
        }
        await harness.ExecuteAsync("insert into logs values (-1, 0)");
        await harness.UntilAsync("(select exists (select from functions_private.events where payload -> 'new' ->> 'id' = '-1'))");
        var told = await ListAsync(
            harness,
            $"select concat(payload ->> 'operation', {Row("payload::jsonb -> 'old'")}, {Row("payload::jsonb -> 'new'")}) from functions_private.events order by 1"
        );
        var made = await ListAsync(harness, $"select concat(op, {Row("old")}, {Row("new")}) from audit order by 1");
        Assert.Equal(made, told);
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>("select count(*) from functions_private.events where payload ->> 'old_columns' <> 'all'")
        );
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.incidents"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Columns_and_conditions_over_old_rows_work_in_a_partition_from_its_creation()
    {
        await using var harness = await StartAsync(hasGuard: false);
        await harness.ExecuteAsync(
            """
            create table bills (id int, day int, status text, note text, primary key (id, day)) partition by range (day);
            select functions.create_trigger('bills_columns', 'nothing', 'bills', '{UPDATE}', '{"columns": ["status"]}');
            select functions.create_trigger('bills_when', 'nothing', 'bills', '{UPDATE}', $${"when": "old.status = 'new' and new.status = 'paid'"}$$);
            """
        );
        await harness.ExecuteAsync(
            """
            create table bills_1 partition of bills for values from (0) to (10);
            insert into bills values (1, 1, 'new'); update bills set note = 'x'; update bills set status = 'paid'; update bills set id = 2
            """
        );
        foreach (var trigger in (string[])["bills_columns", "bills_when"])
        {
            await harness.UntilAsync($"(select exists (select from functions_private.events where trigger = '{trigger}'))");
            Assert.Equal(
                ["new paid all"],
                await ListAsync(
                    harness,
                    $"select concat(payload -> 'old' ->> 'status', ' ', payload -> 'new' ->> 'status', ' ', payload ->> 'old_columns') from functions_private.events where trigger = '{trigger}'"
                )
            );
        }
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Condition_follows_renamed_columns_in_a_partition_with_another_column_order()
    {
        await using var harness = await StartAsync(hasGuard: false);
        await harness.ExecuteAsync(
            """
            create table notes (gone text, id int, day int, status text) partition by range (day);
            select functions.create_trigger('notes_when', 'nothing', 'notes', '{UPDATE}', $${"when": "old.status = 'new' and new.status = 'paid'"}$$);
            select functions.create_trigger('notes_columns', 'nothing', 'notes', '{UPDATE}', '{"columns": ["status"]}');
            """
        );
        // In one transaction, so that the partition is not published yet and a row trigger carries its changes.
        await harness.ExecuteAsync(
            """
            alter table notes rename status to state;
            create table notes_1 (state text, day int, id int, gone text);
            insert into notes_1 values ('new', 1, 1);
            alter table notes attach partition notes_1 for values from (0) to (10);
            update notes set id = 2;
            update notes set state = 'paid';
            """
        );
        foreach (var trigger in (string[])["notes_columns", "notes_when"])
        {
            await harness.UntilAsync($"(select exists (select from functions_private.events where trigger = '{trigger}'))");
            Assert.Equal(
                ["new paid 2"],
                await ListAsync(
                    harness,
                    $"select concat(payload -> 'old' ->> 'state', ' ', payload -> 'new' ->> 'state', ' ', payload -> 'new' ->> 'id') from functions_private.events where trigger = '{trigger}'"
                )
            );
        }
        Assert.Equal(0, await harness.ScalarAsync<long>("select count(*) from functions_private.dead_letters"));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Replica_identity_reset_by_hand_is_restored_and_undecidable_changes_become_dead_letters()
    {
        Assert.SkipWhen(
            await IsCarriedAsync(),
            "From PostgreSQL 18 on, a row trigger carries the changes of tables that no event trigger guards, whatever their identity."
        );
        await using var harness = await StartAsync(hasGuard: false);
        await harness.ExecuteAsync(
            """
            create table sums (id int primary key, status text, note text);
            select functions.create_trigger('sums_columns', 'nothing', 'sums', '{UPDATE}', '{"columns": ["status"]}');
            select functions.create_trigger('sums_when', 'nothing', 'sums', '{UPDATE}', $${"when": "new.status is distinct from old.status"}$$);
            select functions.create_trigger('sums_plain', 'nothing', 'sums', '{UPDATE,DELETE}');
            """
        );
        await harness.ExecuteAsync("insert into sums values (1, 'new')");
        await harness.ExecuteAsync(
            """
            begin; alter table sums replica identity default; update sums set status = 'paid'; commit
            """
        );
        await harness.UntilAsync(
            "(select count(*) = 2 from functions_private.dead_letters where trigger in ('sums_columns', 'sums_when') and error_code = 'OLD_ROW_MISSING')"
        );
        await harness.UntilAsync("(select relreplident = 'f' from pg_class where relname = 'sums')");
        await Eventually.HoldsAsync(() =>
            Task.FromResult(harness.First.Log.Contains("The replica identity of sums", StringComparison.Ordinal))
        );
        await harness.ExecuteAsync("update sums set status = 'late'");
        await harness.UntilAsync("(select count(*) = 2 from functions_private.events where trigger = 'sums_plain')");
        Assert.Equal(
            ["- paid", "paid late"],
            await ListAsync(
                harness,
                "select concat(coalesce(payload -> 'old' ->> 'status', '-'), ' ', payload -> 'new' ->> 'status') from functions_private.events where trigger = 'sums_plain' order by id"
            )
        );
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Partition_with_a_reset_replica_identity_does_not_report_its_key_as_the_whole_row()
    {
        await using var harness = await StartAsync(hasGuard: false);
        await harness.ExecuteAsync(
            """
            create table pays (id int, day int, status text, note text, primary key (id, day)) partition by range (day);
            create table pays_1 partition of pays for values from (0) to (10);
            create table pays_2 partition of pays for values from (10) to (20);
            select functions.create_trigger('pays', 'nothing', 'pays', '{UPDATE,DELETE}');
            insert into pays values (1, 1, 'paid', 'n'), (2, 12, 'paid', 'n');
            """
        );
        await harness.ExecuteAsync(
            """
            begin; alter table pays_1 replica identity default; update pays set id = id + 10; delete from pays; commit
            """
        );
        await harness.UntilAsync("(select count(*) = 4 from functions_private.events where trigger = 'pays')");
        var isCarried = await IsCarriedAsync();
        Assert.Equal(
            [
                isCarried ? """UPDATE all {"id":1,"day":1,"status":"paid","note":"n"}""" : """UPDATE key {"id":1,"day":1}""",
                """UPDATE all {"id":2,"day":12,"status":"paid","note":"n"}""",
                isCarried ? """DELETE all {"id":11,"day":1,"status":"paid","note":"n"}""" : """DELETE key {"id":11,"day":1}""",
                """DELETE all {"id":12,"day":12,"status":"paid","note":"n"}""",
            ],
            await ListAsync(
                harness,
                "select concat(payload ->> 'operation', ' ', payload ->> 'old_columns', ' ', payload -> 'old') from functions_private.events where trigger = 'pays' order by id"
            )
        );
    }

    /// <summary>Whether a row trigger carries the changes of tables that no event trigger guards.</summary>
    private static async Task<bool> IsCarriedAsync() => await (await PostgresServer.GetAsync()).GetVersionAsync() >= 18;

    private static async Task<FaultHarness> StartAsync(bool hasGuard)
    {
        var harness = await FaultHarness.CreateAsync();
        await harness.DeployAsync("nothing", TriggerHarness.Nothing);
        if (!hasGuard)
            await harness.ExecuteAsync("drop event trigger functions_guard");
        return harness;
    }

    /// <summary>The values of a row as one text. Numerics are strings in events.</summary>
    private static string Row(string json) =>
        $$"""
            (select string_agg(concat(' ', key, '=', coalesce(value #>> '{}', 'null')), '' order by key) from jsonb_each(nullif({{json}}, 'null')) where key in ('id', 'day', 'status', 'note', 'tags'))
            """;

    private static async Task<List<string>> ListAsync(FaultHarness harness, string sql)
    {
        await using var command = harness.Owner.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
            rows.Add(reader.GetString(0));
        return rows;
    }
}
