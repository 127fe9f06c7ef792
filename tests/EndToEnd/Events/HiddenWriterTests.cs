namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Ways to write without being seen, after which a function would run as the service role: by another table's name, or by a login that is no role of functions.</summary>
public sealed class HiddenWriterTests(SidecarFixture sidecar)
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";

    /// <summary>Begins as PostgREST does.</summary>
    private const string AsAlice = $$"""begin; set local role authenticated; set local request.jwt.claims = '{"sub":"{{Alice}}","role":"authenticated"}';""";

    private const string WhoAmI = """
        export async function handler(event) {
          const [who] = await db.query('select current_user as role, functions.uid() as uid');
          console.log(event.new.id, who.role, who.uid);
        }
        """;

    [Theory]
    [InlineData("none")]
    [InlineData("another_$t")]
    public async Task A_session_that_resets_its_role_within_a_statement_fires_functions_as_anon(string role)
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        // A login like PostgREST's, and SQL of an attacker's: the server asks for the INSERT's rights before any of it runs.
        await stage.ExecuteAsync("create role login_$t login noinherit; create role another_$t; grant authenticated, another_$t to login_$t");
        await stage.ExecuteAsync($"""
            begin; set local session authorization login_$t; set local role authenticated;
            with r as materialized (select set_config('role', '{role}', true) x), w as (insert into $t select 1 from r returning 1)
            select (select x from r), (select count(*) from w);
            commit
            """);
        Assert.Equal(1, await stage.ScalarAsync<long>("select count(*) from $t"));
        Assert.Equal("1 anon null", await SaidAsync(stage.Function, 1));
    }

    [Fact]
    public async Task A_login_of_an_application_fires_functions_as_anon_and_a_superuser_as_the_service_role()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await stage.ExecuteAsync("create role login_$t login; create role another_$t; grant another_$t to login_$t; grant all on $t to login_$t, another_$t");
        await stage.ExecuteAsync("begin; set local session authorization login_$t; insert into $t values (1); set local role another_$t; insert into $t values (2); commit");
        await stage.ExecuteAsync("begin; set local role another_$t; insert into $t values (3); commit");
        await stage.ExecuteAsync("insert into $t values (4)");
        foreach (var id in (int[])[1, 2])
            Assert.Equal($"{id} anon null", await SaidAsync(stage.Function, id));
        foreach (var id in (int[])[3, 4])
            Assert.Equal($"{id} service_role null", await SaidAsync(stage.Function, id));
    }

    [Fact]
    public async Task Claims_that_a_login_of_an_application_sets_are_not_taken_over_by_anon()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await stage.ExecuteAsync("create role login_$t login; grant all on $t to login_$t");
        await stage.ExecuteAsync($$"""begin; set local session authorization login_$t; set local request.jwt.claims = '{"sub":"{{Alice}}","role":"service_role"}'; insert into $t values (1); commit""");
        Assert.Equal("1 anon null", await SaidAsync(stage.Function, 1));
    }

    [Fact]
    public async Task What_anon_is_refused_names_the_login_that_wrote_and_the_option_role_which_changes_it()
    {
        const string Source = """
            export async function handler(event) {
              await db.query('select * from private_rows');
              const [who] = await db.query('select current_user as role');
              console.log(event.new.id, who.role);
            }
            """;
        await sidecar.Database.ExecuteAsync("create table private_rows (id int); grant select on private_rows to authenticated, service_role");
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key", """{"retries": 0}""", source: Source);
        await stage.ExecuteAsync("create role login_$t login; grant all on $t to login_$t");
        Task InsertAsync(int id) => stage.ExecuteAsync($"begin; set local session authorization login_$t; insert into $t values ({id}); commit");

        await InsertAsync(1);
        var message = await DeadAsync(stage);
        Assert.Contains("permission denied for table private_rows", message, StringComparison.Ordinal);
        Assert.Contains($"\"login_{stage.Table}\"", message, StringComparison.Ordinal);
        Assert.Contains("option role", message, StringComparison.Ordinal);

        await stage.CreateTriggerAsync("""{"role": "authenticated", "retries": 0}""");
        await InsertAsync(2);
        Assert.Equal("2 authenticated", await SaidAsync(stage.Function, 2));

        await stage.CreateTriggerAsync("""{"retries": 0}""");
        await sidecar.DeployAsAsync(stage.Function, Source, """{"role": "service_role"}""");
        await InsertAsync(3);
        Assert.Equal("3 service_role", await SaidAsync(stage.Function, 3));
    }

    [Fact]
    public async Task Creating_a_trigger_says_as_whom_its_function_runs_unless_that_is_fixed()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key");
        await using var connection = await sidecar.Database.Owner.OpenConnectionAsync();
        var notices = new List<string>();
        connection.Notice += (_, notice) => notices.Add(notice.Notice.MessageText);
        async Task CreateAsync(string options)
        {
            await using var command = new Npgsql.NpgsqlCommand(
                $"select functions.create_trigger('{stage.Trigger}', '{stage.Function}', '{stage.Table}', '{{INSERT}}', '{options}')", connection);
            await command.ExecuteNonQueryAsync();
        }

        await CreateAsync("""{"role": "authenticated"}""");
        Assert.DoesNotContain(notices, notice => notice.Contains("anon", StringComparison.Ordinal));
        await CreateAsync("{}");
        Assert.Contains(notices, notice => notice.Contains("as anon for changes by any other login", StringComparison.Ordinal));
        notices.Clear();
        await sidecar.DeployAsAsync(stage.Function, TriggerStage.Nothing, """{"role": "authenticated"}""");
        await CreateAsync("{}");
        Assert.DoesNotContain(notices, notice => notice.Contains("anon", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_role_that_functions_are_given_later_is_the_writer_from_then_on()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await stage.ExecuteAsync("create role team_$t; create role login_$t login; grant team_$t to login_$t; grant all on $t to login_$t, team_$t");
        await stage.ExecuteAsync("begin; set local session authorization login_$t; insert into $t values (1); commit");
        Assert.Equal("1 anon null", await SaidAsync(stage.Function, 1));
        await stage.ExecuteAsync("select functions.grant_role('team_$t')");
        await stage.ExecuteAsync("begin; set local session authorization login_$t; set local role team_$t; insert into $t values (2); commit");
        Assert.Equal($"2 team_{stage.Table} null", await SaidAsync(stage.Function, 2));
        await stage.ExecuteAsync("begin; set local session authorization login_$t; insert into $t values (3); commit");
        Assert.Equal("3 anon null", await SaidAsync(stage.Function, 3));
    }

    [Fact]
    public async Task A_new_partition_has_a_writer_from_its_first_row_on()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int, day int) partition by list (day", operations: "{INSERT}", source: WhoAmI);
        await stage.ExecuteAsync("""
            create table $t_1 partition of $t for values in (1); create table $t_2 partition of $t for values in (2) partition by list (id);
            create table $t_3 partition of $t_2 default; grant all on $t_1, $t_2, $t_3 to authenticated
            """);
        await stage.ExecuteAsync($"{AsAlice} insert into $t_1 values (1, 1), (2, 1); commit");
        await stage.ExecuteAsync($"{AsAlice} insert into $t_2 values (3, 2); commit");
        await stage.ExecuteAsync($"{AsAlice} insert into $t_3 values (4, 2); commit");
        await stage.ExecuteAsync($"{AsAlice} insert into $t values (5, 1); commit");
        await stage.ExecuteAsync("insert into $t_1 values (6, 1)");
        foreach (var id in (int[])[1, 2, 3, 4, 5])
            Assert.Equal($"{id} authenticated {Alice}", await SaidAsync(stage.Function, id));
        Assert.Equal("6 service_role null", await SaidAsync(stage.Function, 6));
    }

    [Fact]
    public async Task A_new_partition_soon_tells_by_statement_and_its_rows_are_asked_nothing_more()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int, day int) partition by list (day", operations: "{INSERT}", source: WhoAmI);
        await stage.ExecuteAsync("""
            create table $t_1 partition of $t for values in (1); create table $t_2 partition of $t for values in (2) partition by list (id);
            create table $t_3 partition of $t_2 default; grant all on $t_1, $t_2, $t_3 to authenticated
            """);
        await sidecar.EventuallyAsync<bool>($"select true where not exists (select from functions_private.uncaptured_tables('{stage.Table}'::regclass))");
        Assert.Equal(0, await stage.ScalarAsync<long>("""
            select count(*) from pg_trigger t join pg_class c on c.oid = t.tgrelid
            where t.tgname = 'functions_capture_row' and t.tgenabled <> 'D' and c.relkind = 'r' and c.relname like '$t\_%'
            """));
        var id = 0;
        foreach (var named in (string[])["$t_1 values (1, 1)", "$t_2 values (2, 2)", "$t_3 values (3, 2)", "$t values (4, 2)"])
        {
            await stage.ExecuteAsync($"{AsAlice} insert into {named}; commit");
            Assert.Equal($"{++id} authenticated {Alice}", await SaidAsync(stage.Function, id));
        }
    }

    [Fact]
    public async Task Who_owns_the_table_makes_partitions_of_it_though_the_sidecar_is_another()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int, day int) partition by list (day", operations: "{INSERT}", source: WhoAmI);
        await stage.ExecuteAsync("create role owner_$t; grant usage, create on schema public to owner_$t; alter table $t owner to owner_$t");
        await stage.ExecuteAsync("begin; set local role owner_$t; create table $t_1 partition of $t for values in (1); grant all on $t_1 to authenticated; commit");
        await stage.ExecuteAsync(AsAlice + "insert into $t_1 values (1, 1); commit");
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(stage.Function, 1));
    }

    [Fact]
    public async Task Rows_of_a_new_partition_are_written_as_they_would_be()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int) partition by range (id");
        await stage.ExecuteAsync("create table $t_1 partition of $t for values from (0) to (10); alter table $t_1 replica identity full; grant all on $t_1 to authenticated");
        await stage.ExecuteAsync("insert into $t values (1)");
        await stage.ExecuteAsync(AsAlice + "update $t_1 set id = 2; commit");
        await stage.ExecuteAsync(AsAlice + "delete from $t_1; commit");
        var events = await stage.EventsAsync();
        Assert.Equal(
            ["INSERT null {\"id\":1} null", $"UPDATE {{\"id\":1}} {{\"id\":2}} {Alice}", $"DELETE {{\"id\":2}} null {Alice}"],
            events.Select(one => $"{one["operation"]} {one["old"]?.ToJsonString() ?? "null"} {one["new"]?.ToJsonString() ?? "null"} {one["claims"]?["sub"]?.ToString() ?? "null"}"));
    }

    [Fact]
    public async Task A_statement_that_names_a_table_between_the_root_and_its_partitions_has_a_writer()
    {
        var stage = await TriggerStage.CreateAsync(sidecar, "id int, day int) partition by list (day", operations: "{INSERT}", source: WhoAmI);
        await stage.ExecuteAsync("""
            create table $t_1 partition of $t for values in (1) partition by list (id); create table $t_2 partition of $t_1 default; grant all on $t_1 to authenticated
            """);
        await stage.CreateTriggerAsync(operations: "{INSERT}");
        await stage.ExecuteAsync(AsAlice + "insert into $t_1 values (1, 1); commit");
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(stage.Function, 1));
    }

    [Fact]
    public async Task A_statement_that_names_a_table_from_which_the_table_inherits_has_a_writer()
    {
        await sidecar.Database.ExecuteAsync("create table eldest (id int); create table elder () inherits (eldest); grant all on eldest, elder to authenticated");
        var stage = await TriggerStage.CreateAsync(sidecar, "id int primary key) inherits (elder", operations: "{UPDATE}", source: WhoAmI);
        await stage.ExecuteAsync("insert into $t values (1), (2), (3)");
        await stage.ExecuteAsync(AsAlice + "update elder set id = 11 where id = 1; commit");
        await stage.ExecuteAsync(AsAlice + "update eldest set id = 12 where id = 2; commit");
        Assert.Equal($"11 authenticated {Alice}", await SaidAsync(stage.Function, 11));
        Assert.Equal($"12 authenticated {Alice}", await SaidAsync(stage.Function, 12));

        // An ancestor that it is given later is seen to.
        await stage.ExecuteAsync("create table late_$t (id int not null); grant all on late_$t to authenticated; alter table $t inherit late_$t");
        await sidecar.EventuallyAsync<bool>($"select true where not exists (select from functions_private.uncaptured_tables('{stage.Table}'::regclass))");
        await stage.ExecuteAsync(AsAlice + "update late_$t set id = 13 where id = 3; commit");
        Assert.Equal($"13 authenticated {Alice}", await SaidAsync(stage.Function, 13));

        // What two triggers need stays until the second one goes.
        await stage.ExecuteAsync("create table second_$t (primary key (id)) inherits (elder)");
        await stage.ExecuteAsync($"select functions.create_trigger('second_$t', '{stage.Function}', 'second_$t')");
        await stage.ExecuteAsync("select functions.drop_trigger('on_$t')");
        Assert.Equal("elder,eldest", await CapturedAsync(stage));
        await stage.ExecuteAsync("select functions.drop_trigger('second_$t')");
        Assert.Null(await CapturedAsync(stage));
    }

    private static Task<string> CapturedAsync(TriggerStage stage) => stage.ScalarAsync<string>("""
        select string_agg(tgrelid::regclass::text, ',' order by tgrelid::regclass::text) from pg_trigger
        where tgname = 'functions_capture_context' and tgrelid in ('elder'::regclass, 'eldest'::regclass, 'late_$t'::regclass, '$t'::regclass)
        """);

    private Task<string> DeadAsync(TriggerStage stage) => sidecar.EventuallyAsync<string>(
        "select error_message from functions.dead_letters where function = $1", stage.Function);

    private Task<string> SaidAsync(string function, int id) => sidecar.EventuallyAsync<string>(
        "select message from functions.logs where function = $1 and message like $2", function, $"{id} %");
}
