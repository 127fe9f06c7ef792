namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// Attempts to write without being captured, so that a function would run as the service role: by another table's name, or by a login that
/// is no role of functions.
/// </summary>
public sealed class HiddenWriterTests(SidecarFixture sidecar)
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";

    /// <summary>Begins as PostgREST does.</summary>
    private const string AsAlice =
        $$"""begin; set local role authenticated; set local request.jwt.claims = '{"sub":"{{Alice}}","role":"authenticated"}';""";

    private const string WhoAmI = """
        export async function handler(event) {
          const [who] = await db.query('select current_user as role, functions.uid() as uid');
          console.log(event.new.id, who.role, who.uid);
        }
        """;

    [Theory]
    [InlineData("none")]
    [InlineData("another_$t")]
    public async Task Session_that_resets_its_role_within_a_statement_fires_functions_as_anon(string role)
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        // A login like PostgREST's with an attacker's SQL: the server checks the rights of the INSERT before any of it runs.
        await harness.ExecuteAsync(
            "create role login_$t login noinherit; create role another_$t; grant authenticated, another_$t to login_$t"
        );
        await harness.ExecuteAsync(
            $"""
            begin; set local session authorization login_$t; set local role authenticated;
            with r as materialized (select set_config('role', '{role}', true) x), w as (insert into $t select 1 from r returning 1)
            select (select x from r), (select count(*) from w);
            commit
            """
        );
        Assert.Equal(1, await harness.ScalarAsync<long>("select count(*) from $t"));
        Assert.Equal("1 anon null", await SaidAsync(harness.Function, 1));
    }

    [Fact]
    public async Task Application_login_fires_functions_as_anon_and_a_superuser_as_the_service_role()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync(
            "create role login_$t login; create role another_$t; grant another_$t to login_$t; grant all on $t to login_$t, another_$t"
        );
        await harness.ExecuteAsync(
            "begin; set local session authorization login_$t; insert into $t values (1); set local role another_$t; insert into $t values (2); commit"
        );
        await harness.ExecuteAsync("begin; set local role another_$t; insert into $t values (3); commit");
        await harness.ExecuteAsync("insert into $t values (4)");
        foreach (var id in (int[])[1, 2])
            Assert.Equal($"{id} anon null", await SaidAsync(harness.Function, id));
        foreach (var id in (int[])[3, 4])
            Assert.Equal($"{id} service_role null", await SaidAsync(harness.Function, id));
    }

    [Fact]
    public async Task Claims_set_by_an_application_login_are_not_passed_on_to_anon()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync("create role login_$t login; grant all on $t to login_$t");
        await harness.ExecuteAsync(
            $$"""begin; set local session authorization login_$t; set local request.jwt.claims = '{"sub":"{{Alice}}","role":"service_role"}'; insert into $t values (1); commit"""
        );
        Assert.Equal("1 anon null", await SaidAsync(harness.Function, 1));
    }

    [Fact]
    public async Task Permission_error_as_anon_names_the_writing_login_and_the_option_role()
    {
        const string Source = """
            export async function handler(event) {
              await db.query('select * from private_rows');
              const [who] = await db.query('select current_user as role');
              console.log(event.new.id, who.role);
            }
            """;
        await sidecar.Database.ExecuteAsync(
            "create table private_rows (id int); grant select on private_rows to authenticated, service_role"
        );
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", """{"retries": 0}""", source: Source);
        await harness.ExecuteAsync("create role login_$t login; grant all on $t to login_$t");
        Task InsertAsync(int id) =>
            harness.ExecuteAsync($"begin; set local session authorization login_$t; insert into $t values ({id}); commit");

        await InsertAsync(1);
        var message = await DeadAsync(harness);
        Assert.Contains("permission denied for table private_rows", message, StringComparison.Ordinal);
        Assert.Contains($"\"login_{harness.Table}\"", message, StringComparison.Ordinal);
        Assert.Contains("option role", message, StringComparison.Ordinal);

        await harness.CreateTriggerAsync("""{"role": "authenticated", "retries": 0}""");
        await InsertAsync(2);
        Assert.Equal("2 authenticated", await SaidAsync(harness.Function, 2));

        await harness.CreateTriggerAsync("""{"retries": 0}""");
        await sidecar.DeployAsAsync(harness.Function, Source, """{"role": "service_role"}""");
        await InsertAsync(3);
        Assert.Equal("3 service_role", await SaidAsync(harness.Function, 3));
    }

    [Fact]
    public async Task Creating_a_trigger_reports_the_role_its_function_runs_as_unless_it_is_fixed()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key");
        await using var connection = await sidecar.Database.Owner.OpenConnectionAsync();
        var notices = new List<string>();
        connection.Notice += (_, notice) => notices.Add(notice.Notice.MessageText);
        async Task CreateAsync(string options)
        {
            await using var command = new Npgsql.NpgsqlCommand(
                $"select functions.create_trigger('{harness.Trigger}', '{harness.Function}', '{harness.Table}', '{{INSERT}}', '{options}')",
                connection
            );
            await command.ExecuteNonQueryAsync();
        }

        await CreateAsync("""{"role": "authenticated"}""");
        Assert.DoesNotContain(notices, notice => notice.Contains("anon", StringComparison.Ordinal));
        await CreateAsync("{}");
        Assert.Contains(notices, notice => notice.Contains("as anon for changes by any other login", StringComparison.Ordinal));
        notices.Clear();
        await sidecar.DeployAsAsync(harness.Function, TriggerHarness.Nothing, """{"role": "authenticated"}""");
        await CreateAsync("{}");
        Assert.DoesNotContain(notices, notice => notice.Contains("anon", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Role_granted_to_functions_later_is_the_writer_from_then_on()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync(
            "create role team_$t; create role login_$t login; grant team_$t to login_$t; grant all on $t to login_$t, team_$t"
        );
        await harness.ExecuteAsync("begin; set local session authorization login_$t; insert into $t values (1); commit");
        Assert.Equal("1 anon null", await SaidAsync(harness.Function, 1));
        await harness.ExecuteAsync("select functions.grant_role('team_$t')");
        await harness.ExecuteAsync(
            "begin; set local session authorization login_$t; set local role team_$t; insert into $t values (2); commit"
        );
        Assert.Equal($"2 team_{harness.Table} null", await SaidAsync(harness.Function, 2));
        await harness.ExecuteAsync("begin; set local session authorization login_$t; insert into $t values (3); commit");
        Assert.Equal("3 anon null", await SaidAsync(harness.Function, 3));
    }

    [Fact]
    public async Task New_partition_captures_the_writer_from_its_first_row()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int, day int) partition by list (day",
            operations: "{INSERT}",
            source: WhoAmI
        );
        await harness.ExecuteAsync(
            """
            create table $t_1 partition of $t for values in (1); create table $t_2 partition of $t for values in (2) partition by list (id);
            create table $t_3 partition of $t_2 default; grant all on $t_1, $t_2, $t_3 to authenticated
            """
        );
        await harness.ExecuteAsync($"{AsAlice} insert into $t_1 values (1, 1), (2, 1); commit");
        await harness.ExecuteAsync($"{AsAlice} insert into $t_2 values (3, 2); commit");
        await harness.ExecuteAsync($"{AsAlice} insert into $t_3 values (4, 2); commit");
        await harness.ExecuteAsync($"{AsAlice} insert into $t values (5, 1); commit");
        await harness.ExecuteAsync("insert into $t_1 values (6, 1)");
        foreach (var id in (int[])[1, 2, 3, 4, 5])
            Assert.Equal($"{id} authenticated {Alice}", await SaidAsync(harness.Function, id));
        Assert.Equal("6 service_role null", await SaidAsync(harness.Function, 6));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task New_partition_soon_captures_by_statement_and_no_longer_by_row()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int, day int) partition by list (day",
            operations: "{INSERT}",
            source: WhoAmI
        );
        await harness.ExecuteAsync(
            """
            create table $t_1 partition of $t for values in (1); create table $t_2 partition of $t for values in (2) partition by list (id);
            create table $t_3 partition of $t_2 default; grant all on $t_1, $t_2, $t_3 to authenticated
            """
        );
        await sidecar.EventuallyAsync<bool>(
            $"select true where not exists (select from functions_private.uncaptured_tables('{harness.Table}'::regclass))"
        );
        Assert.Equal(
            0,
            await harness.ScalarAsync<long>(
                """
                select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid
                where t.tgname = 'functions_capture_row' and t.tgenabled <> 'D' and c.relkind = 'r' and c.relname like '$t\_%'
                """
            )
        );
        var id = 0;
        foreach (var named in (string[])["$t_1 values (1, 1)", "$t_2 values (2, 2)", "$t_3 values (3, 2)", "$t values (4, 2)"])
        {
            await harness.ExecuteAsync($"{AsAlice} insert into {named}; commit");
            Assert.Equal($"{++id} authenticated {Alice}", await SaidAsync(harness.Function, id));
        }
    }

    [Fact]
    public async Task Table_owner_can_create_partitions_when_the_sidecar_is_another_role()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int, day int) partition by list (day",
            operations: "{INSERT}",
            source: WhoAmI
        );
        await harness.ExecuteAsync(
            "create role owner_$t; grant usage, create on schema public to owner_$t; alter table $t owner to owner_$t"
        );
        await harness.ExecuteAsync(
            "begin; set local role owner_$t; create table $t_1 partition of $t for values in (1); grant all on $t_1 to authenticated; commit"
        );
        await harness.ExecuteAsync(AsAlice + "insert into $t_1 values (1, 1); commit");
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(harness.Function, 1));
    }

    [Fact]
    public async Task Rows_of_a_new_partition_are_written_unchanged()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int) partition by range (id");
        await harness.ExecuteAsync(
            "create table $t_1 partition of $t for values from (0) to (10); alter table $t_1 replica identity full; grant all on $t_1 to authenticated"
        );
        await harness.ExecuteAsync("insert into $t values (1)");
        await harness.ExecuteAsync(AsAlice + "update $t_1 set id = 2; commit");
        await harness.ExecuteAsync(AsAlice + "delete from $t_1; commit");
        var events = await harness.EventsAsync();
        Assert.Equal(
            ["INSERT null {\"id\":1} null", $"UPDATE {{\"id\":1}} {{\"id\":2}} {Alice}", $"DELETE {{\"id\":2}} null {Alice}"],
            events.Select(one =>
                $"{one["operation"]} {one["old"]?.ToJsonString() ?? "null"} {one["new"]?.ToJsonString() ?? "null"} {one["claims"]?["sub"]?.ToString() ?? "null"}"
            )
        );
    }

    [Fact]
    public async Task Statement_on_an_intermediate_partitioned_table_has_a_writer()
    {
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int, day int) partition by list (day",
            operations: "{INSERT}",
            source: WhoAmI
        );
        await harness.ExecuteAsync(
            """
            create table $t_1 partition of $t for values in (1) partition by list (id); create table $t_2 partition of $t_1 default; grant all on $t_1 to authenticated
            """
        );
        await harness.CreateTriggerAsync(operations: "{INSERT}");
        await harness.ExecuteAsync(AsAlice + "insert into $t_1 values (1, 1); commit");
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(harness.Function, 1));
    }

    [Fact]
    public async Task Statement_on_an_inheritance_parent_has_a_writer()
    {
        await sidecar.Database.ExecuteAsync(
            "create table eldest (id int); create table elder () inherits (eldest); grant all on eldest, elder to authenticated"
        );
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key) inherits (elder",
            operations: "{UPDATE}",
            source: WhoAmI
        );
        await harness.ExecuteAsync("insert into $t values (1), (2), (3)");
        await harness.ExecuteAsync(AsAlice + "update elder set id = 11 where id = 1; commit");
        await harness.ExecuteAsync(AsAlice + "update eldest set id = 12 where id = 2; commit");
        Assert.Equal($"11 authenticated {Alice}", await SaidAsync(harness.Function, 11));
        Assert.Equal($"12 authenticated {Alice}", await SaidAsync(harness.Function, 12));

        // An ancestor added later gets the trigger too.
        await harness.ExecuteAsync(
            "create table late_$t (id int not null); grant all on late_$t to authenticated; alter table $t inherit late_$t"
        );
        await sidecar.EventuallyAsync<bool>(
            $"select true where not exists (select from functions_private.uncaptured_tables('{harness.Table}'::regclass))"
        );
        await harness.ExecuteAsync(AsAlice + "update late_$t set id = 13 where id = 3; commit");
        Assert.Equal($"13 authenticated {Alice}", await SaidAsync(harness.Function, 13));

        // Objects that two triggers need stay until the second one is dropped.
        await harness.ExecuteAsync("create table second_$t (primary key (id)) inherits (elder)");
        await harness.ExecuteAsync($"select functions.create_trigger('second_$t', '{harness.Function}', 'second_$t')");
        await harness.ExecuteAsync("select functions.drop_trigger('on_$t')");
        Assert.Equal("elder,eldest", await CapturedAsync(harness));
        await harness.ExecuteAsync("select functions.drop_trigger('second_$t')");
        Assert.Null(await CapturedAsync(harness));
    }

    private static Task<string> CapturedAsync(TriggerHarness harness) =>
        harness.ScalarAsync<string>(
            """
            select string_agg(tgrelid::regclass::text, ',' order by tgrelid::regclass::text) from pg_trigger
            where tgname = 'functions_capture_context' and tgrelid in ('elder'::regclass, 'eldest'::regclass, 'late_$t'::regclass, '$t'::regclass)
            """
        );

    private Task<string> DeadAsync(TriggerHarness harness) =>
        sidecar.EventuallyAsync<string>("select error_message from functions.dead_letters where function = $1", harness.Function);

    private Task<string> SaidAsync(string function, int id) =>
        sidecar.EventuallyAsync<string>("select message from functions.logs where function = $1 and message like $2", function, $"{id} %");
}
