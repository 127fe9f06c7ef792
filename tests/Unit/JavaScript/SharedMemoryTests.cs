using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Instances of the real engine under a limit for all of them together.</summary>
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
    public async Task Growth_beyond_the_limit_of_all_ends_the_run_that_grows_and_says_whose_limit_it_was()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        var result = await RunAsync(hog, host, Large);
        Assert.Equal(RunOutcome.OutOfSharedMemory, result.Outcome);
        Assert.True(budget.Used <= budget.Limit);
    }

    [Fact]
    public async Task Its_own_limit_is_still_its_own()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        var result = await RunAsync(hog, host, EngineFixture.Limits with { MemoryBytes = 32L << 20 });
        Assert.Equal(RunOutcome.OutOfMemory, result.Outcome);
    }

    [Fact]
    public async Task Small_functions_run_while_large_ones_hold_all_that_they_may()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        using var small = await engine.CompileAsync("small.js", "export const handler = () => 'served';", EngineFixture.Limits);
        var hosts = new[] { new GuestHost(), new GuestHost() };
        var held = hosts.Select(host => Begin(hog, host, Large)).ToArray();
        // Each of the two grows to some 44 MB and then waits for its statement.
        foreach (var host in hosts)
        {
            for (var grown = 0; grown < 10; grown++)
                GuestHost.Succeed(await host.NextAsync(), "");
            await host.NextAsync();
        }
        Assert.True(budget.Used > 60L << 20);
        var answers = new GuestHost();
        Assert.Equal(RunOutcome.Succeeded, (await RunAsync(small, answers, EngineFixture.Limits)).Outcome);
        Assert.Equal("\"served\"", answers.Answer);
        Assert.All(held, run => Assert.False(run.IsCompleted));
    }

    [Fact]
    public async Task What_a_run_had_is_given_back_when_it_ends()
    {
        using var hog = await engine.CompileAsync("hog.js", Hog, Large);
        var before = budget.Used;
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        await RunAsync(hog, host, Large);
        // One idle instance is kept. Those that were idle before may have been given up for the run.
        Assert.InRange(budget.Used, 0, before + (1 << 20));
    }

    private static Task<RunResult> Begin(JavaScriptProgram program, GuestHost host, GuestLimits limits) => program.RunAsync(
        new RunRequest("""{"kind":"event","trigger":"test","path":"","query":{},"user_id":null,"request_id":"r","event":{},"env":{},"now":0}"""u8.ToArray(), default, limits),
        host, CancellationToken.None);

    private static Task<RunResult> RunAsync(JavaScriptProgram program, GuestHost host, GuestLimits limits) =>
        Begin(program, host, limits).WaitAsync(EngineFixture.Patience);
}
