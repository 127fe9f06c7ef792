using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>Triggers that capture who writes are disabled or dropped: a function does not run as the service role for what comes without a context then.</summary>
public sealed class CaptureOffTests
{
    /// <summary>Writes as PostgREST does.</summary>
    private const string AsAlice = """begin; set local role authenticated; set local request.jwt.claims = '{"sub":"alice","role":"authenticated"}';""";

    [Theory]
    [InlineData("alter table notes disable trigger user", "insert into notes values (1, 1)")]
    [InlineData("alter table notes_1 disable trigger all", "insert into notes_1 values (1, 1)")]
    [InlineData("alter table only notes disable trigger functions_capture_context", "insert into notes values (1, 1)")]
    [InlineData("drop trigger functions_capture_context on notes", "insert into notes values (1, 1)")]
    [InlineData("drop trigger functions_capture_context on notes_1; drop trigger functions_capture_row on notes", "insert into notes_1 values (1, 1)")]
    public async Task Changes_that_are_not_captured_run_functions_as_anon(string statement, string write)
    {
        await using var stage = await StartAsync();
        // In one transaction: the sidecar can't see the triggers off, and makes dropped ones again afterwards.
        await stage.ExecuteAsync($"{statement}; {AsAlice} {write}; commit");
        Assert.Equal("anon", await RoleAsync(stage, 1));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("savepoint a;", "release a;")]
    public async Task Changes_between_disabling_and_enabling_in_one_transaction_run_functions_as_anon(string before, string after)
    {
        await using var stage = await StartAsync();
        await stage.ExecuteAsync($"{AsAlice} reset role; {before} alter table notes disable trigger user; {after} set local role authenticated; insert into notes values (1, 1); reset role; alter table notes enable trigger user; commit");
        Assert.Equal("anon", await RoleAsync(stage, 1));
        await stage.ExecuteAsync("insert into notes values (2, 2)");
        Assert.Equal("service_role", await RoleAsync(stage, 2));
    }

    [Fact]
    public async Task A_disabled_trigger_is_told_and_left_alone_and_a_dropped_one_is_made_again()
    {
        await using var stage = await StartAsync();
        await stage.ExecuteAsync("alter table notes disable trigger user");
        await LogsAsync(stage, "Who writes to notes by way of notes is not captured");
        await stage.ExecuteAsync($"{AsAlice} insert into notes values (1, 1); commit");
        Assert.Equal("anon", await RoleAsync(stage, 1));
        await stage.ExecuteAsync("alter table notes enable trigger user");
        await LogsAsync(stage, "Who writes to notes by way of notes is captured again");
        await stage.ExecuteAsync("drop trigger functions_capture_context on notes");
        await stage.UntilAsync("(select exists (select from pg_trigger where tgrelid = 'notes'::regclass and tgname = 'functions_capture_context'))");
        await stage.ExecuteAsync($"{AsAlice} insert into notes values (3, 3); commit");
        Assert.Equal("authenticated", await RoleAsync(stage, 3));
    }

    private static async Task<FaultStage> StartAsync()
    {
        var stage = await FaultStage.CreateAsync();
        await stage.DeployAsync("nothing", TriggerStage.Nothing);
        await stage.ExecuteAsync("""
            create table notes (id int, day int) partition by range (day);
            create table notes_1 partition of notes for values from (0) to (10);
            grant all on notes, notes_1 to authenticated;
            """);
        await stage.ExecuteAsync("select functions.create_trigger('notes', 'nothing', 'notes')");
        return stage;
    }

    private static async Task<string> RoleAsync(FaultStage stage, int id)
    {
        await stage.UntilAsync($"(select exists (select from functions_private.events where trigger = 'notes' and payload -> 'new' ->> 'id' = '{id}'))");
        return await stage.ScalarAsync<string>($"select caller ->> 'role' from functions_private.events where trigger = 'notes' and payload -> 'new' ->> 'id' = '{id}'");
    }

    private static Task LogsAsync(FaultStage stage, string text) =>
        Eventually.HoldsAsync(() => Task.FromResult(stage.First.Log.Contains(text, StringComparison.Ordinal)));
}
