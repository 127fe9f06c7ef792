using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A function fired by a change runs as the writer, regardless of what the writer tries.</summary>
public sealed class WriterTests(SidecarFixture sidecar)
{
    private const string Alice = "11111111-1111-4111-8111-111111111111";
    private const string Bob = "22222222-2222-4222-8222-222222222222";

    /// <summary>Begins as PostgREST does.</summary>
    private const string AsAlice =
        $$"""begin; set local role authenticated; set local request.jwt.claims = '{"sub":"{{Alice}}","role":"authenticated"}';""";

    private const string WhoAmI = """
        export async function handler(event) {
          const [who] = await db.query('select current_user as role, functions.uid() as uid');
          console.log(event.new.id, who.role, who.uid);
        }
        """;

    [Fact]
    public async Task Function_runs_as_the_user_who_made_the_change()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync(AsAlice + "insert into $t values (1); commit");
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(harness, 1));
        Assert.Equal(Alice, (string)(await harness.EventsAsync())[0]["claims"]!["sub"]!);
    }

    [Fact]
    public async Task Writer_without_claims_is_the_service_role_or_the_role_of_the_trigger()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync("insert into $t values (1)");
        Assert.Equal("1 service_role null", await SaidAsync(harness, 1));
        await harness.CreateTriggerAsync("""{"role": "authenticated"}""");
        await harness.ExecuteAsync("insert into $t values (2)");
        Assert.Equal("2 authenticated null", await SaidAsync(harness, 2));
    }

    [Fact]
    public async Task Role_and_batching_of_a_dropped_trigger_apply_to_its_stored_events()
    {
        const string Source = """
            export async function handler(event) {
              const events = event.events ?? [event];
              if (events[0].attempt === 1) throw new Error('again');
              const [who] = await db.query('select current_user as role');
              console.log(events[0].new.id, who.role, event.events ? 'batch' : 'single');
            }
            """;
        var harness = await TriggerHarness.CreateAsync(
            sidecar,
            "id int primary key",
            """{"role": "authenticated", "batch_size": 5, "backoff_ms": 2000}"""
        );
        await sidecar.DeployAsAsync(harness.Function, Source, """{"role": "service_role"}""");
        await harness.ExecuteAsync("insert into $t values (1)");
        await sidecar.EventuallyAsync<int>(
            "select 1 from functions_private.deliveries where function = $1 and attempts = 1",
            harness.Function
        );

        await sidecar.Database.ExecuteAsync(
            $"select functions.drop_trigger('{harness.Trigger}'); select functions_private.forget_former_triggers()"
        );

        Assert.Equal("1 authenticated batch", await SaidAsync(harness, 1));
        await sidecar.EventuallyAsync<bool>(
            "select true where not exists (select from functions_private.deliveries where function = $1)",
            harness.Function
        );
        // No pending event needs its definition any more.
        await Eventually.HoldsAsync(async () =>
        {
            await sidecar.Database.ExecuteAsync("select functions_private.forget_former_triggers()");
            return await sidecar.Database.ScalarAsync<bool>(
                $"select not exists (select from functions_private.former_triggers where name = '{harness.Trigger}')"
            );
        });
    }

    [Theory]
    [InlineData("role")]
    [InlineData("session authorization")]
    public async Task Writer_with_a_role_but_no_claims_runs_as_that_role(string taken)
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync($"begin; set local {taken} authenticated; insert into $t values (1); commit");
        Assert.Equal("1 authenticated null", await SaidAsync(harness, 1));
    }

    [Fact]
    public async Task Writes_of_a_function_are_attributed_to_its_caller()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        var writer = await sidecar.DeployAsync(
            $"export const handler = () => db.query('insert into {harness.Table} values (1)').then(() => null);"
        );
        await sidecar.CallAsync(writer, subject: Alice);
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(harness, 1));
    }

    [Fact]
    public async Task Message_from_any_other_source_is_ignored()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        var forged = new JsonObject
        {
            ["role"] = "service_role",
            ["sub"] = Bob,
            ["claims"] = new JsonObject { ["sub"] = Bob },
            ["xid"] = "1",
        }.ToJsonString();
        await harness.ExecuteAsync(
            AsAlice
                + $"insert into $t values (1); select pg_logical_emit_message(true, 'functions.context', repeat('0', 64) || '{forged}'); insert into $t values (2); commit"
        );
        Assert.Equal($"2 authenticated {Alice}", await SaidAsync(harness, 2));
    }

    [Fact]
    public async Task Signed_message_of_one_transaction_is_ignored_in_another()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        // A message that a reader of the WAL could copy, as written for Bob.
        await harness.ExecuteAsync("select pg_create_logical_replication_slot('eavesdropper_$t', 'pgoutput')");
        await harness.ExecuteAsync(
            $$"""begin; set local role authenticated; set local request.jwt.claims = '{"sub":"{{Bob}}"}'; insert into $t values (1); commit"""
        );
        var message = await sidecar.EventuallyAsync<string>(
            $$"""
            select substring(encode(data, 'escape') from '([0-9a-f]{64}\{.*\})') from pg_logical_slot_peek_binary_changes('eavesdropper_{{harness.Table}}', null, null,
                'proto_version', '1', 'publication_names', 'functions_events', 'messages', 'true')
            where encode(data, 'escape') like '%functions.context%{{Bob}}%' and encode(data, 'escape') not like '%0000000000%' limit 1
            """
        );
        await harness.ExecuteAsync("select pg_drop_replication_slot('eavesdropper_$t')");
        Assert.Contains(Bob, message, StringComparison.Ordinal);
        await harness.ExecuteAsync(
            AsAlice + $"insert into $t values (2); select pg_logical_emit_message(true, 'functions.context', '{message}'); commit"
        );
        await harness.ExecuteAsync(
            $"begin; set local role authenticated; select pg_logical_emit_message(true, 'functions.context', '{message}'); insert into $t values (3); commit"
        );
        Assert.Equal($"2 authenticated {Alice}", await SaidAsync(harness, 2));
        Assert.Equal("3 authenticated null", await SaidAsync(harness, 3));
    }

    [Fact]
    public async Task Rolled_back_savepoint_keeps_the_writer()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync(
            AsAlice
                + "savepoint s; insert into $t values (1); rollback to s; set local functions.captured = 'yes'; insert into $t values (2); commit"
        );
        Assert.Equal($"2 authenticated {Alice}", await SaidAsync(harness, 2));
    }

    [Fact]
    public async Task Search_path_cannot_hide_the_writer()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        // Everything the capture calls exists under the same name in an attacker's schema and returns no writer.
        await harness.ExecuteAsync(
            """
            create schema evil_$t;
            create function evil_$t.current_setting(text) returns text language sql return 'none';
            create function evil_$t.to_regrole(text) returns regrole language sql return null::regrole;
            create function evil_$t.quote_ident(text) returns text language sql return 'nobody';
            create function evil_$t.concat(text, name) returns text language sql return 'nobody';
            create function evil_$t.starts_with(name, text) returns boolean language sql return false;
            create function evil_$t.starts_with(text, text) returns boolean language sql return false;
            create function evil_$t.same(text, text) returns boolean language sql return true;
            create operator evil_$t.= (leftarg = text, rightarg = text, function = evil_$t.same);
            create function evil_$t.same(name, name) returns boolean language sql return true;
            create operator evil_$t.= (leftarg = name, rightarg = name, function = evil_$t.same);
            create function evil_$t.pg_has_role(name, oid, text) returns boolean language sql return false;
            grant usage on schema evil_$t to authenticated
            """
        );
        await harness.ExecuteAsync(AsAlice + "set local search_path = evil_$t, pg_catalog, public; insert into $t values (1); commit");
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(harness, 1));
        await harness.ExecuteAsync(
            "begin; set local session authorization authenticated; set local search_path = evil_$t, pg_catalog, public; insert into $t values (2); commit"
        );
        Assert.Equal("2 authenticated null", await SaidAsync(harness, 2));
    }

    [Fact]
    public async Task Claims_cannot_name_a_role_other_than_the_sessions()
    {
        var harness = await TriggerHarness.CreateAsync(sidecar, "id int primary key", source: WhoAmI);
        await harness.ExecuteAsync(
            $$"""begin; set local role authenticated; set local request.jwt.claims = '{"sub":"{{Alice}}","role":"service_role"}'; insert into $t values (1); commit"""
        );
        Assert.Equal($"1 authenticated {Alice}", await SaidAsync(harness, 1));
        await harness.ExecuteAsync(
            "begin; set local role authenticated; set local request.jwt.claims = 'no json'; insert into $t values (2); commit"
        );
        Assert.Equal("2 authenticated null", await SaidAsync(harness, 2));
    }

    private Task<string> SaidAsync(TriggerHarness harness, int id) =>
        sidecar.EventuallyAsync<string>(
            "select message from functions.logs where function = $1 and message like $2",
            harness.Function,
            $"{id} %"
        );
}
