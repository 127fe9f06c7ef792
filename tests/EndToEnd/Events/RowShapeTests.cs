namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>What rows look like: types, names, identities, and definitions that change in progress.</summary>
public sealed class RowShapeTests(SidecarFixture sidecar)
{
    [Fact]
    [Trait("Case", "22")]
    public async Task Unchanged_large_value_is_in_both_rows_with_full_replica_identity()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, large text, n int");
        await harness.ExecuteAsync("alter table $t alter large set storage external; insert into $t values (1, repeat('x', 10000), 1)");
        await harness.ExecuteAsync("update $t set n = 2");
        var update = (await harness.EventsAsync())[1];
        Assert.Equal((10000, 10000), (((string)update["old"]!["large"]!).Length, ((string)update["new"]!["large"]!).Length));
        Assert.Equal("""["n"]""", update["changed_columns"]!.ToJsonString());
        Assert.Null(update["unchanged_columns"]);
    }

    [Fact]
    [Trait("Case", "23")]
    public async Task Unchanged_large_value_is_absent_and_listed_without_full_replica_identity()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, large text, n int", """{"include_old": false}""");
        await harness.ExecuteAsync("alter table $t alter large set storage external; insert into $t values (1, repeat('x', 10000), 1)");
        await harness.ExecuteAsync("update $t set n = 2");
        var update = (await harness.EventsAsync())[1];
        Assert.Equal("""{"id":1,"n":2}""", update["new"]!.ToJsonString());
        Assert.Equal("""["large"]""", update["unchanged_columns"]!.ToJsonString());
        Assert.Null(update["old"]);
    }

    [Fact]
    [Trait("Case", "24")]
    [Trait("Case", "25")]
    public async Task Table_with_a_key_identity_reports_the_old_key()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, name text", """{"include_old": false}""");
        await harness.ExecuteAsync("insert into $t values (1, 'a')");
        await harness.ExecuteAsync("update $t set id = 2");
        await harness.ExecuteAsync("delete from $t");
        var events = await harness.EventsAsync();
        Assert.Equal(("""{"id":1}""", "key"), (events[1]["old"]!.ToJsonString(), (string)events[1]["old_columns"]!));
        Assert.Equal(("""{"id":2}""", "key"), (events[2]["old"]!.ToJsonString(), (string)events[2]["old_columns"]!));
    }

    [Fact]
    [Trait("Case", "25")]
    public async Task Index_identity_reports_the_columns_of_the_index()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, code text not null unique, n int",
            """{"include_old": false}"""
        );
        await harness.ExecuteAsync("alter table $t replica identity using index $t_code_key; insert into $t values (1, 'c', 1)");
        await harness.ExecuteAsync("delete from $t");
        Assert.Equal("""{"code":"c"}""", (await harness.EventsAsync())[1]["old"]!.ToJsonString());
    }

    [Fact]
    [Trait("Case", "28")]
    public async Task Each_event_has_the_columns_of_the_table_at_its_commit()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key, name text");
        await harness.ExecuteAsync("insert into $t values (1, 'a')");
        await harness.ExecuteAsync("alter table $t add column n int default 5; insert into $t values (2, 'b')");
        await harness.ExecuteAsync("alter table $t rename name to title; insert into $t values (3, 'c')");
        await harness.ExecuteAsync("alter table $t drop column n; insert into $t values (4, 'd')");
        Assert.Equal(
            ["""{"id":1,"name":"a"}""", """{"id":2,"name":"b","n":5}""", """{"id":3,"title":"c","n":5}""", """{"id":4,"title":"d"}"""],
            (await harness.EventsAsync()).Select(one => one["new"]!.ToJsonString())
        );
    }

    [Fact]
    [Trait("Case", "29")]
    public async Task Types_created_while_the_WAL_is_read_are_decoded()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key");
        await harness.ExecuteAsync("insert into $t values (0)");
        await harness.EventsAsync();
        await harness.ExecuteAsync(
            """
            create type $t_mood as enum ('sad', 'happy'); create domain $t_percent as int check (value between 0 and 100);
            create type $t_point as (x int, label text); create domain $t_points as $t_point[];
            alter table $t add mood $t_mood, add moods $t_mood[], add share $t_percent, add place $t_point, add places $t_point[];
            insert into $t values (1, 'happy', '{sad,happy}', 50, row(1, 'a "b"'), array[row(2, null)::$t_point]);
            """
        );
        Assert.Equal(
            """{"id":1,"mood":"happy","moods":["sad","happy"],"share":50,"place":{"x":1,"label":"a \u0022b\u0022"},"places":[{"x":2,"label":null}]}""",
            (await harness.EventsAsync())[1]["new"]!.ToJsonString()
        );
    }

    [Fact]
    public async Task Values_are_preserved_exactly()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            """
            id bigint primary key, exact numeric, large bigint, real8 double precision, day date, moment timestamptz, plain timestamp, forever date,
            span interval, bytes bytea, doc jsonb, tags text[][], period tstzrange, fits int4multirange, who uuid, address inet, flag boolean, nothing text
            """
        );
        await harness.ExecuteAsync(
            """
            insert into $t values (1, 12345678901234567890.0123456789, 9007199254740993, 'NaN', '2026-02-06', '2026-02-06 10:00:00.123456+01', '2026-02-06 09:00:00',
                'infinity', '1 year 2 days 03:04:05', '\x00ff', '{"a": [1, {"b": null}]}', '{{a,"b c"},{NULL,d}}', '[2026-01-01 00:00+00,2026-02-01 00:00+00)',
                '{[1,3),[5,7)}', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '10.1.2.3/24', true, null)
            """
        );
        Assert.Equal(
            """{"id":1,"exact":"12345678901234567890.0123456789","large":"9007199254740993","real8":"NaN","day":"2026-02-06","moment":"2026-02-06T09:00:00.123456Z","plain":"2026-02-06T09:00:00","forever":"infinity","span":"1 year 2 days 03:04:05","bytes":"AP8=","doc":{"a":[1,{"b":null}]},"tags":[["a","b c"],[null,"d"]],"period":"[\u00222026-01-01 00:00:00\u002B00\u0022,\u00222026-02-01 00:00:00\u002B00\u0022)","fits":"{[1,3),[5,7)}","who":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","address":"10.1.2.3/24","flag":true,"nothing":null}""",
            Assert.Single(await harness.EventsAsync())["new"]!.ToJsonString()
        );
    }

    [Fact]
    public async Task Any_name_is_allowed_and_generated_columns_are_omitted_before_PostgreSQL_18()
    {
        await sidecar.Database.ExecuteAsync(
            """"
            create schema if not exists "Schéma ""x""";
            create table "Schéma ""x"""."Täble" ("Größe ""q""" int primary key, "日本" text, twice int generated always as ("Größe ""q""" * 2) stored);
            """"
        );
        var function = await sidecar.DeployAsync(TriggerHarness.Nothing);
        await sidecar.Database.ExecuteAsync($""""select functions.create_trigger('odd', '{function}', '"Schéma ""x"""."Täble"')"""");
        await sidecar.Database.ExecuteAsync(""""insert into "Schéma ""x"""."Täble" values (1, 'ü')"""");
        var columns = await sidecar.Database.ScalarAsync<bool>("select current_setting('server_version_num')::int >= 180000") ? 3L : 2L;
        Assert.Equal(
            ("Schéma \"x\"", "Täble", "1", "ü", columns),
            (
                await sidecar.EventuallyAsync<string>("select payload ->> 'schema' from functions_private.events where trigger = 'odd'"),
                await sidecar.EventuallyAsync<string>("select payload ->> 'table' from functions_private.events where trigger = 'odd'"),
                await sidecar.EventuallyAsync<string>(
                    """select payload -> 'new' ->> 'Größe "q"' from functions_private.events where trigger = 'odd'"""
                ),
                await sidecar.EventuallyAsync<string>(
                    "select payload -> 'new' ->> '日本' from functions_private.events where trigger = 'odd'"
                ),
                await sidecar.EventuallyAsync<long>(
                    "select count(*) from functions_private.events e, json_object_keys(e.payload -> 'new') where e.trigger = 'odd'"
                )
            )
        );
    }

    [Fact]
    [Trait("Case", "32")]
    public async Task Changes_of_attached_and_detached_partitions_are_reported_under_the_root_table()
    {
        var function = await sidecar.DeployAsync(TriggerHarness.Nothing);
        await sidecar.Database.ExecuteAsync(
            """
            create table measures (id int, day date, primary key (id, day)) partition by range (day);
            create table measures_1 partition of measures for values from ('2026-01-01') to ('2026-02-01');
            """
        );
        await sidecar.Database.ExecuteAsync($"select functions.create_trigger('measures', '{function}', 'measures')");
        await sidecar.Database.ExecuteAsync("insert into measures values (1, '2026-01-05')");
        await sidecar.Database.ExecuteAsync(
            "create table measures_2 partition of measures for values from ('2026-02-01') to ('2026-03-01'); insert into measures values (2, '2026-02-05')"
        );
        await sidecar.Database.ExecuteAsync("insert into measures_2 values (3, '2026-02-06')");
        await sidecar.Database.ExecuteAsync(
            "alter table measures detach partition measures_1; insert into measures_1 values (4, '2026-01-06'); insert into measures values (5, '2026-02-07')"
        );
        Assert.Equal(
            "measures 1,measures 2,measures 3,measures 5",
            await sidecar.EventuallyAsync<string>(
                """
                select string_agg(concat(payload ->> 'table', ' ', payload -> 'new' ->> 'id'), ',' order by id) from functions_private.events where trigger = 'measures'
                having bool_or(payload -> 'new' ->> 'id' = '5')
                """
            )
        );
    }

    [Fact]
    [Trait("Case", "27")]
    public async Task Truncate_of_a_partitioned_table_is_one_event_and_of_a_single_partition_none()
    {
        var function = await sidecar.DeployAsync(TriggerHarness.Nothing);
        await sidecar.Database.ExecuteAsync(
            """
            create table readings (id int) partition by range (id);
            create table readings_1 partition of readings for values from (1) to (10);
            create table readings_2 partition of readings for values from (10) to (20);
            """
        );
        await sidecar.Database.ExecuteAsync(
            $"select functions.create_trigger('readings', '{function}', 'readings', '{{INSERT,TRUNCATE}}')"
        );
        await sidecar.Database.ExecuteAsync("insert into readings values (1), (10)");
        await sidecar.Database.ExecuteAsync("truncate readings_1");
        await sidecar.Database.ExecuteAsync("truncate readings");
        await sidecar.Database.ExecuteAsync("insert into readings values (2)");
        Assert.Equal(
            "INSERT readings 1,INSERT readings 10,TRUNCATE readings ,INSERT readings 2",
            await sidecar.EventuallyAsync<string>(
                """
                select string_agg(concat(payload ->> 'operation', ' ', payload ->> 'table', ' ', payload -> 'new' ->> 'id'), ',' order by id)
                from functions_private.events where trigger = 'readings' having bool_or(payload -> 'new' ->> 'id' = '2')
                """
            )
        );
    }

    [Fact]
    [Trait("Case", "33")]
    public async Task Condition_sees_old_and_new_rows_and_an_update_stays_an_update()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key, state text, n numeric(30,3), b bytea, tags text[]",
            """
            {"when": "new.state = 'ready' and old.state is distinct from new.state and (new.n is null or new.n < 12345678901234567.5) and (new.b is null or new.b <> '\\x00'::bytea) and 'no' <> all(coalesce(new.tags, '{}'))"}
            """
        );
        await harness.ExecuteAsync(
            "insert into $t values (1, 'draft', null, null, null), (2, 'ready', null, null, null), (3, 'ready', 12345678901234568, null, null), (4, 'ready', 1, '\\x00', null), (5, 'ready', 1, '\\x01', '{yes,no}')"
        );
        await harness.ExecuteAsync("update $t set state = 'ready' where id = 1");
        await harness.ExecuteAsync("update $t set n = 5 where id = 1");
        Assert.Equal(["INSERT 2", "UPDATE 1"], (await harness.EventsAsync()).Select(one => $"{one["operation"]} {one["new"]!["id"]}"));
    }
}
