using System.Text;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Tests.Unit.Modules;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>
/// Runs that begin on the thread of their caller because earlier runs were short. Every limit applies there as on the sandbox's own
/// threads. The last run
/// of each test behaves differently from those before it.
/// </summary>
public sealed class CallerThreadTests
{
    /// <summary>Enough runs for the code to be compiled and the average to settle on a loaded machine.</summary>
    private const int MaxWarmUp = 5_000;

    private static readonly GuestLimits Limits = new(TimeSpan.FromSeconds(60), 64L << 20);

    [Theory]
    [InlineData("for (;;);", RunOutcome.TimedOut)]
    [InlineData("for (;;) await null;", RunOutcome.TimedOut)]
    [InlineData("/(a+)+b/.test('a'.repeat(40));", RunOutcome.TimedOut)]
    [InlineData("const a = Array(1e5).fill(0); for (;;) a.sort(() => 0.5 - Math.random());", RunOutcome.TimedOut)]
    [InlineData("let n = 3n; for (;;) n = n ** 3n % (1n << 5000n);", RunOutcome.TimedOut)]
    [InlineData("await new Promise(resolve => setTimeout(resolve, 1e6));", RunOutcome.TimedOut)]
    [InlineData("const all = []; for (;;) all.push(new Array(1000).fill({}));", RunOutcome.OutOfMemory)]
    [InlineData("const f = () => f(); f();", RunOutcome.Threw)]
    [InlineData("const f = () => [1].map(() => f()); f();", RunOutcome.Threw)]
    [InlineData("const f = () => JSON.stringify({ toJSON: f }); f();", RunOutcome.Threw)]
    [InlineData("JSON.parse('['.repeat(1e6));", RunOutcome.Threw)]
    [InlineData("new RegExp('('.repeat(1e6));", RunOutcome.Threw)]
    [InlineData("throw new Error('no');", RunOutcome.Threw)]
    [InlineData("await new Promise(() => {});", RunOutcome.Threw)]
    public void Hostile_run_ends_with_the_same_outcome_on_any_thread(string body, RunOutcome outcome)
    {
        var limits = outcome == RunOutcome.TimedOut ? Limits with { Timeout = TimeSpan.FromMilliseconds(300) } : Limits;
        var (result, _) = RunLast(body, limits);
        Assert.Equal(outcome, result.Outcome);
    }

    [Fact]
    public void The_processor_time_of_a_run_is_limited()
    {
        var (result, _) = RunLast("for (;;);", Limits with { CpuTime = TimeSpan.FromMilliseconds(100) });
        Assert.Equal(RunOutcome.OutOfCpu, result.Outcome);
        Assert.True(result.CpuTime >= TimeSpan.FromMilliseconds(100), $"{result.CpuTime}");
    }

    [Fact]
    public void Run_is_stopped_when_its_caller_disconnects()
    {
        using var abandon = new CancellationTokenSource();
        var (result, _) = RunLast(
            "console.log('looping'); for (;;);",
            Limits,
            new GuestHost { OnLog = () => abandon.CancelAfter(1) },
            abandon: abandon.Token
        );
        Assert.Equal(RunOutcome.Cancelled, result.Outcome);
    }

    [Fact]
    public void Endless_recursion_can_be_caught()
    {
        var (result, host) = RunLast("const f = () => 1 + f(); try { f() } catch (e) { return e.name }", Limits);
        Assert.Equal((RunOutcome.Succeeded, "\"RangeError\""), (result.Outcome, host.Answer));
    }

    [Fact]
    public void Waiting_run_releases_its_callers_thread_and_ends_on_another()
    {
        var caller = Environment.CurrentManagedThreadId;
        var responded = 0;
        var waiting = new List<GuestOperation>();
        var host = new GuestHost { OnStart = waiting.Add, OnRespond = () => responded = Environment.CurrentManagedThreadId };
        var (result, _) = RunLast("return (await db.query('select'))[0].v;", Limits, host, beforeEnd: run =>
        {
            Assert.False(run.IsCompleted);
            caller = Environment.CurrentManagedThreadId;
            GuestHost.Succeed(Assert.Single(waiting), "later");
        });
        Assert.Equal((RunOutcome.Succeeded, "\"later\""), (result.Outcome, host.Answer));
        Assert.NotEqual(caller, responded);
    }

    [Fact]
    public void Program_with_long_runs_runs_on_the_sandboxs_threads()
    {
        GuestThread.Run(() =>
        {
            // A separate engine: with the load of other tests, runs would move to other threads.
            using var engine = JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory);
            using var program = Compile(engine, "for (let i = 0; i < 1e6; i++) ;");
            for (var run = 0; run < 10; run++)
                Assert.NotEqual(Environment.CurrentManagedThreadId, RespondingThread(program, "true"));
        });
    }

    private static (RunResult Result, GuestHost Host) RunLast(
        string body,
        GuestLimits limits,
        GuestHost? host = null,
        Action<Task<RunResult>>? beforeEnd = null,
        CancellationToken abandon = default
    )
    {
        RunResult? result = null;
        host ??= new GuestHost();
        GuestThread.Run(() =>
        {
            using var engine = JavaScriptEngine.Load(JavaScriptEngine.DefaultDirectory);
            using var program = Compile(engine, body);
            var warmUp = 0;
            while (RespondingThread(program, "false") != Environment.CurrentManagedThreadId)
                Assert.True(++warmUp < MaxWarmUp, "No run began on its caller's thread.");
            var run = Begin(program, host, "true", limits, abandon);
            beforeEnd?.Invoke(run);
            result = run.WaitAsync(EngineFixture.Patience, CancellationToken.None).GetAwaiter().GetResult();
            // The next run is not affected.
            var next = new GuestHost();
            var ended = Begin(program, next, "false", Limits).WaitAsync(EngineFixture.Patience).GetAwaiter().GetResult();
            Assert.Equal((RunOutcome.Succeeded, "1"), (ended.Outcome, next.Answer));
        });
        return (result!, host);
    }

    private static JavaScriptProgram Compile(JavaScriptEngine engine, string body) =>
        engine
            .CompileAsync("test.js", $"export const handler = async go => {{ if (!go) return 1; {body} return 2 }}", EngineFixture.Limits)
            .GetAwaiter()
            .GetResult();

    private static int RespondingThread(JavaScriptProgram program, string eventJson)
    {
        var thread = 0;
        var host = new GuestHost { OnRespond = () => thread = Environment.CurrentManagedThreadId };
        _ = Begin(program, host, eventJson, Limits).WaitAsync(EngineFixture.Patience).GetAwaiter().GetResult();
        return thread;
    }

    private static Task<RunResult> Begin(
        JavaScriptProgram program,
        GuestHost host,
        string eventJson,
        GuestLimits limits,
        CancellationToken abandon = default
    )
    {
        var envelope =
            $$"""{"kind":"event","trigger":"test","path":"","query":{},"user_id":null,"request_id":"r","event":{{eventJson}},"env":{},"now":0}""";
        return program.RunAsync(new RunRequest(Encoding.UTF8.GetBytes(envelope), default, limits, MayRunHere: true), host, abandon);
    }
}
