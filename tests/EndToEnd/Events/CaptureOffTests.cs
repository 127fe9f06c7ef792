using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>
/// When the triggers that capture writers are disabled or dropped, functions do not run as the service role for changes without a context.
/// </summary>
public sealed class CaptureOffTests
{
    /// <summary>Writes as PostgREST does.</summary>
    private const string AsAlice =
        """begin; set local role authenticated; set local request.jwt.claims = '{"sub":"alice","role":"authenticated"}';""";

    [Theory]
    [InlineData("alter table notes disable trigger user", "insert into notes values (1, 1)")]
    [InlineData("alter table notes_1 disable trigger all", "insert into notes_1 values (1, 1)")]
    [InlineData("alter table only notes disable trigger functions_capture_context", "insert into notes values (1, 1)")]
    [InlineData("drop trigger functions_capture_context on notes", "insert into notes values (1, 1)")]
    [InlineData(
        "drop trigger functions_capture_context on notes_1; drop trigger functions_capture_row on notes",
        "insert into notes_1 values (1, 1)"
    )]
    public async Task Uncaptured_changes_run_functions_as_anon(string statement, string write)
    {
        await using var harness = await StartAsync();
        // In one transaction: the sidecar cannot see the disabled triggers, and recreates dropped ones afterwards.
        await harness.ExecuteAsync($"{statement}; {AsAlice} {write}; commit");
        Assert.Equal("anon", await RoleAsync(harness, 1));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("savepoint a;", "release a;")]
    public async Task Changes_between_disabling_and_enabling_in_one_transaction_run_functions_as_anon(string before, string after)
    {
        await using var harness = await StartAsync();
        await harness.ExecuteAsync(
            $"{AsAlice} reset role; {before} alter table notes disable trigger user; {after} set local role authenticated; insert into notes values (1, 1); reset role; alter table notes enable trigger user; commit"
        );
        Assert.Equal("anon", await RoleAsync(harness, 1));
        await harness.ExecuteAsync("insert into notes values (2, 2)");
        Assert.Equal("service_role", await RoleAsync(harness, 2));
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Disabled_trigger_is_reported_and_kept_and_a_dropped_one_is_recreated()
    {
        await using var harness = await StartAsync();
        await harness.ExecuteAsync("alter table notes disable trigger user");
        await LogsAsync(harness, "Writers of notes through notes are not captured");
        await harness.ExecuteAsync($"{AsAlice} insert into notes values (1, 1); commit");
        Assert.Equal("anon", await RoleAsync(harness, 1));
        await harness.ExecuteAsync("alter table notes enable trigger user");
        await LogsAsync(harness, "Writers of notes through notes are captured again");
        await harness.ExecuteAsync("drop trigger functions_capture_context on notes");
        await harness.UntilAsync(
            "(select exists (select from pg_trigger where tgrelid = 'notes'::regclass and tgname = 'functions_capture_context'))"
        );
        await harness.ExecuteAsync($"{AsAlice} insert into notes values (3, 3); commit");
        Assert.Equal("authenticated", await RoleAsync(harness, 3));
    }

    private static async Task<FaultHarness> StartAsync()
    {
        var harness = await FaultHarness.CreateAsync();
        await harness.DeployAsync("nothing", TriggerHarness.Nothing);
        await harness.ExecuteAsync(
            """
            create table notes (id int, day int) partition by range (day);
            create table notes_1 partition of notes for values from (0) to (10);
            grant all on notes, notes_1 to authenticated;
            """
        );
        await harness.ExecuteAsync("select functions.create_trigger('notes', 'nothing', 'notes')");
        return harness;
    }

    private static async Task<string> RoleAsync(FaultHarness harness, int id)
    {
        await harness.UntilAsync(
            $"(select exists (select from functions_private.events where trigger = 'notes' and payload -> 'new' ->> 'id' = '{id}'))"
        );
        return await harness.ScalarAsync<string>(
            $"select caller ->> 'role' from functions_private.events where trigger = 'notes' and payload -> 'new' ->> 'id' = '{id}'"
        );
    }

    private static Task LogsAsync(FaultHarness harness, string text) =>
        Eventually.HoldsAsync(() => Task.FromResult(harness.First.Log.Contains(text, StringComparison.Ordinal)));
}
