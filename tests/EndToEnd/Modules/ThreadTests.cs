using System.Net;
using System.Net.Http.Headers;

namespace Functions.PgSidecar.Tests.EndToEnd.Modules;

/// <summary>Waiting modules hold a bounded number of threads, separate from those of JavaScript.</summary>
public sealed class ThreadTests(SidecarFixture fixture)
{
    /// <summary>A command that sleeps for a minute.</summary>
    private const string Sleeper = """
        (module
          (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          ;; One subscription: the monotonic clock, 60 s from now.
          (data (i32.const 16) "\01\00\00\00")
          (data (i32.const 24) "\00\58\47\f8\0d\00\00\00")
          (func (export "_start") (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
        """;

    /// <summary>A command that waits for the database for a minute.</summary>
    private const string Waiter = """
        (module
          (import "aerodb" "db_query" (func $query (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "select pg_sleep(59)")
          (func (export "_start") (drop (call $query (i32.const 0) (i32.const 19) (i32.const 0) (i32.const 0)))))
        """;

    [Fact]
    public async Task A_sleep_ends_with_the_invocation()
    {
        var name = await fixture.DeployModuleAsync(await Tools.AssembleAsync(Sleeper), """{"timeout_ms":1000}""");
        using var response = await fixture.PostAsync(name);
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Modules_queue_until_their_deadline_when_every_thread_is_busy_and_JavaScript_still_runs()
    {
        await using var sidecar = await SidecarProcess.StartAsync(fixture.Database.ConnectionString, ("PGFN_MODULE_THREADS", "1"));
        using var http = new HttpClient { BaseAddress = sidecar.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.For("authenticated", null));
        var waiter = await fixture.DeployModuleAsync(await Tools.AssembleAsync(Waiter), """{"timeout_ms":60000}""");
        var hurried = await fixture.DeployModuleAsync(await Tools.AssembleExampleAsync("wat/echo.wat"), """{"timeout_ms":1000}""");
        var next = await fixture.DeployModuleAsync(await Tools.AssembleExampleAsync("wat/echo.wat"));
        var script = await fixture.DeployAsync("export const handler = () => ({ ok: true });");

        using var enough = new CancellationTokenSource();
        var waiting = http.PostAsync("/functions/v1/invoke/" + waiter, null, enough.Token);
        await WaitsAsync();
        using (var queued = await http.PostAsync("/functions/v1/invoke/" + hurried, null))
            Assert.Equal(HttpStatusCode.GatewayTimeout, queued.StatusCode);
        using (var free = await http.PostAsync("/functions/v1/invoke/" + script, null))
            Assert.Equal(HttpStatusCode.OK, free.StatusCode);

        // The caller of the waiting module disconnects, and its thread is released.
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await IsIdleAsync(http);
        using var answer = await http.PostAsync("/functions/v1/invoke/" + next, null);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    /// <summary>Its thread is occupied once its statement runs.</summary>
    private Task WaitsAsync() =>
        Testing.Eventually.HoldsAsync(async () =>
        {
            await using var command = fixture.Database.Owner.CreateCommand(
                "select exists (select from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(59)' and state = 'active')"
            );
            return await command.ExecuteScalarAsync() is true;
        });

    private static Task IsIdleAsync(HttpClient http) =>
        Testing.Eventually.HoldsAsync(async () =>
            (await http.GetStringAsync("/metrics")).Contains("\nfunctions_running 0\n", StringComparison.Ordinal)
        );
}
