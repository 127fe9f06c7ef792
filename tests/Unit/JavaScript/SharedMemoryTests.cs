using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Instances of the real engine under a shared memory limit.</summary>
public sealed class SharedMemoryTests : IDisposable
{
    private const string Hog = """
        export const handler = async () => {
          const kept = [];
          for (let i = 0; i < 40; i++) { kept.push(new Uint8Array(4 << 20).fill(1)); await db.query('grown'); }
          return kept.length;
        };
        """;

    private readonly MemoryBudget budget = new(128L << 20);
    private readonly JavaScriptEngine engine;

    public SharedMemoryTests() => engine = JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory, memory: budget);

    private static GuestLimits Large => EngineFixture.Limits with { MemoryBytes = 512L << 20 };

    public void Dispose() => engine.Dispose();

    [Fact]
    public async Task Growth_beyond_the_shared_limit_ends_the_growing_run_and_names_that_limit()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        var result = await RunAsync(hog, host, Large);
        Assert.Equal(RunOutcome.OutOfSharedMemory, result.Outcome);
        Assert.True(budget.Used <= budget.Limit);
    }

    [Fact]
    public async Task Memory_limit_of_the_function_still_applies()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        var result = await RunAsync(hog, host, EngineFixture.Limits with { MemoryBytes = 32L << 20 });
        Assert.Equal(RunOutcome.OutOfMemory, result.Outcome);
    }

    [Fact]
    public async Task Small_functions_run_while_large_ones_hold_their_full_share()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        using var small = await engine.CompileAsync("small.js", "export const handler = () => 'served';", EngineFixture.Limits);
        var hosts = new[] { new GuestHost(), new GuestHost() };
        var held = hosts.Select(host => Begin(hog, host, Large)).ToArray();
        // Each of the two grows to about 41 MiB of the 96 that large ones have together, and then waits for its statement.
        foreach (var (host, run) in hosts.Zip(held))
        {
            for (var grown = 0; grown < 8; grown++)
                GuestHost.Succeed(await NextAsync(host, run), "");
            await NextAsync(host, run);
        }
        Assert.True(budget.Used > 60L << 20);
        var answers = new GuestHost();
        Assert.Equal(RunOutcome.Succeeded, (await RunAsync(small, answers, EngineFixture.Limits)).Outcome);
        Assert.Equal("\"served\"", answers.Answer);
        Assert.All(held, run => Assert.False(run.IsCompleted));
    }

    [Fact]
    public async Task Memory_of_a_run_is_released_when_it_ends()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        var before = budget.Used;
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        await RunAsync(hog, host, Large);
        // One idle instance is kept. Earlier idle instances may have been released for the run.
        Assert.InRange(budget.Used, 0, before + (1 << 20));
    }

    /// <summary>The next operation of a run, which must not end before.</summary>
    private async Task<GuestOperation> NextAsync(GuestHost host, Task<RunResult> run)
    {
        var next = host.NextAsync();
        await Task.WhenAny(next, run);
        Assert.True(next.IsCompleted, $"The run ended: {(run.IsCompleted ? (await run).Outcome : null)}; {budget.Used} bytes are used.");
        return await next;
    }

    private static Task<RunResult> Begin(JavaScriptProgram program, GuestHost host, GuestLimits limits) =>
        program.RunAsync(
            new RunRequest(
                """{"kind":"event","trigger":"test","path":"","query":{},"user_id":null,"request_id":"r","event":{},"env":{},"now":0}"""u8.ToArray(),
                default,
                limits
            ),
            host,
            CancellationToken.None
        );

    private static Task<RunResult> RunAsync(JavaScriptProgram program, GuestHost host, GuestLimits limits) =>
        Begin(program, host, limits).WaitAsync(EngineFixture.Patience);
}
