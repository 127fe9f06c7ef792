using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.EndToEnd;

/// <summary>A version whose compilation ends the process. The test kills the process while it compiles.</summary>
public sealed class AttemptTests
{
    /// <summary>Its top level runs until the limit of one minute.</summary>
    private const string Endless = "for (;;) {} export const handler = () => 1;";

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Version_that_ends_the_process_three_times_is_abandoned_and_others_are_served_first()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using (await SidecarProcess.StartAsync(database.ConnectionString))
        {
            // Migrated.
        }
        await database.ExecuteAsync(
            $$"""select functions.deploy('poison', '{{Endless}}', options => '{"timeout_ms": 60000, "cpu_ms": 60000}')"""
        );
        for (var i = 1; i <= 3; i++)
        {
            await using var dying = await SidecarProcess.StartAsync(database.ConnectionString);
            await Eventually.HoldsAsync(async () =>
                await database.ScalarAsync<long>("select count(*) from functions_private.attempts") == i
            );
            dying.Kill();
            await dying.WaitForExitAsync();
            // As if the timeout for silent sidecars had passed.
            await database.ExecuteAsync(
                "update functions_private.attempts set began_at = began_at - interval '1 minute'; update functions_private.sidecars set seen_at = seen_at - interval '1 minute'"
            );
            await database.ExecuteAsync($"select functions.deploy('other{i}', 'export const handler = () => 1')");
        }

        await using var sidecar = await SidecarProcess.StartAsync(database.ConnectionString);
        for (var i = 1; i <= 3; i++)
            await database.ExecuteAsync($"call functions.wait_ready('other{i}')");
        await sidecar.LogsAsync("Function 'poison' version 1 is not compiled again");
        Assert.Equal("failed", await database.ScalarAsync<string>("select status from functions.versions where function = 'poison'"));
        Assert.StartsWith(
            "The sidecar ended 3 times",
            await database.ScalarAsync<string>("select error from functions.versions where function = 'poison'")
        );
    }
}
