using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Operations that guests start on their host. They complete in any order, on any thread, and some never complete.</summary>
public sealed class OperationTests(EngineFixture fixture)
{
    private const string AskThree = """
        async () => {
          const order = [];
          const ask = name => db.query(name).then(rows => order.push(rows[0].v), error => order.push(error.code));
          await Promise.all(['a', 'b', 'c'].map(ask));
          return order.join();
        }
        """;

    public static TheoryData<string> Orders { get; } = ["abc", "acb", "bac", "bca", "cab", "cba", "aBc", "CBA", "bCa"];

    [Theory]
    [MemberData(nameof(Orders))]
    public async Task Operations_settle_in_the_order_the_host_completes_them(string order)
    {
        using var program = await fixture.HandlerAsync(AskThree);
        var host = new GuestHost();
        var run = fixture.Begin(program, host);
        var asked = new Dictionary<string, GuestOperation>();
        for (var i = 0; i < 3; i++)
        {
            var operation = await host.NextAsync();
            asked[GuestHost.Sql(operation)] = operation;
        }
        foreach (var name in order.Select(letter => letter.ToString()))
        {
            // Upper case: this one fails.
            if (asked.TryGetValue(name, out var operation))
                GuestHost.Succeed(operation, name);
            else
                asked[name.ToLowerInvariant()].Fail("Error", "refused", name);
        }
        Assert.Equal(RunOutcome.Succeeded, (await run.WaitAsync(EngineFixture.Patience)).Outcome);
        Assert.Equal($"\"{string.Join(',', order.AsEnumerable())}\"", host.Answer);
    }

    [Fact]
    public async Task Only_the_first_completion_of_an_operation_counts()
    {
        var host = new GuestHost
        {
            OnStart = operation =>
            {
                GuestHost.Succeed(operation, "first");
                GuestHost.Succeed(operation, "second");
                operation.Fail("Error", "third");
            },
        };
        await fixture.TryAsync("async () => (await db.query('x'))[0].v", host: host);
        Assert.Equal("\"first\"", host.Answer);
        Assert.Equal(1, host.Answers);
    }

    [Fact]
    public async Task Hundreds_of_concurrent_completions_all_arrive()
    {
        const int Count = 600;
        using var program = await fixture.HandlerAsync(
            $$"""
            async () => {
              const rows = await Promise.all(Array.from({ length: {{Count}} }, (_, i) => db.query(String(i))));
              return rows.every(([row], i) => row.v === 'answer ' + i);
            }
            """
        );
        var operations = new List<GuestOperation>();
        var all = new TaskCompletionSource();
        var host = new GuestHost
        {
            OnStart = operation =>
            {
                operations.Add(operation);
                if (operations.Count == Count)
                    all.SetResult();
            },
        };
        var run = fixture.Begin(program, host);
        await all.Task.WaitAsync(EngineFixture.Patience);
        await Task.WhenAll(
            operations
                .Chunk(Count / 6)
                .Select(part =>
                    Task.Run(() =>
                    {
                        foreach (var operation in part)
                            GuestHost.Succeed(operation, "answer " + GuestHost.Sql(operation));
                    })
                )
        );
        Assert.Equal(RunOutcome.Succeeded, (await run.WaitAsync(EngineFixture.Patience)).Outcome);
        Assert.Equal("true", host.Answer);
    }

    [Fact]
    public async Task Limit_of_a_thousand_operations_applies_to_each_run_alone()
    {
        var (result, host) = await fixture.TryAsync(
            """
            async () => {
              const kept = [], refused = [];
              for (let i = 0; i < 1010; i++) kept.push(new Promise(resolve => db.query('x').catch(error => { refused.push(error.code); resolve() })));
              await Promise.race(kept);
              await null;
              return refused;
            }
            """
        );
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        Assert.Contains("PGFN4429", JsonSerializer.Deserialize<string[]>(host.Answer!)!);
    }

    [Fact]
    public async Task End_of_the_run_cancels_pending_operations_and_drops_late_completions()
    {
        using var program = await fixture.HandlerAsync("() => { db.query('left behind'); return 1; }");
        var host = new GuestHost();
        var run = fixture.Begin(program, host);
        var operation = await host.NextAsync();
        var cancelled = new TaskCompletionSource();
        await using var registration = operation.Cancellation.Register(cancelled.SetResult);
        await run.WaitAsync(EngineFixture.Patience);
        await cancelled.Task.WaitAsync(EngineFixture.Patience);
        GuestHost.Succeed(operation, "too late");
        Assert.True(operation.Cancellation.IsCancellationRequested);
        Assert.Equal(1, host.Answers);
    }

    [Fact]
    public async Task Token_requested_after_the_end_is_already_cancelled()
    {
        using var program = await fixture.HandlerAsync("() => { db.query('left behind'); throw new Error('over'); }");
        var host = new GuestHost();
        await fixture.RunAsync(program, host);
        Assert.True((await host.NextAsync()).Cancellation.IsCancellationRequested);
    }

    [Fact]
    public async Task Timers_fire_in_the_order_of_their_time_and_cleared_ones_never()
    {
        var (result, host) = await fixture.TryAsync(
            """
            async () => {
              const order = [];
              const wait = (ms, name) => new Promise(resolve => setTimeout(() => { order.push(name); resolve() }, ms));
              clearTimeout(setTimeout(() => order.push('cleared'), 20));
              let ticks = 0;
              const ticked = new Promise(resolve => {
                const interval = setInterval(() => { if (++ticks === 3) { clearInterval(interval); resolve() } }, 1);
              });
              await Promise.all([wait(60, 'late'), wait(0, 'soon'), wait(30, 'middle'), ticked]);
              return [...order, ticks];
            }
            """
        );
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        Assert.Equal("""["soon","middle","late",3]""", host.Answer);
    }

    [Fact]
    public async Task Overdue_timers_fire_by_due_time_then_by_creation()
    {
        // A timer's time counts from when it is set, and a busy machine may stop the function between two settings. So each pair of timers
        // whose order is
        // certain from what the function's own clock said is compared, not one order for all.
        var (result, host) = await fixture.TryAsync(
            """
            async () => {
              const timers = [], order = [], fired = [];
              const wait = ms => {
                const timer = { from: performance.now() + ms, set: timers.length };
                fired.push(new Promise(resolve => setTimeout(() => { order.push(timer); resolve() }, ms)));
                timer.ms = ms;
                timer.to = performance.now() + ms + 0.2; // the clock goes in steps of 0.1 ms
                timers.push(timer);
              };
              for (let i = 0; i < 20; i++) wait(400 - 20 * i);
              for (let i = 0; i < 5; i++) wait(31);
              const until = performance.now() + 450;
              while (performance.now() < until);
              wait(0);
              await Promise.all(fired);
              const wrong = [];
              let pairs = 0;
              for (const [at, later] of order.entries()) {
                for (const earlier of order.slice(0, at)) {
                  if (later.to < earlier.from || (later.ms === earlier.ms && later.set < earlier.set)) wrong.push([earlier, later]);
                  if (earlier.set > later.set) pairs++;
                }
              }
              return { fired: order.length, wrong, isReordered: pairs > 0 };
            }
            """
        );
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        Assert.Equal("""{"fired":26,"wrong":[],"isReordered":true}""", host.Answer);
    }

    [Fact]
    public async Task A_timer_does_not_fire_before_its_time()
    {
        var (result, host) = await fixture.TryAsync(
            """
            async () => {
              const early = [];
              for (let ms = 1; ms < 30; ms++) {
                const began = performance.now();
                await new Promise(resolve => setTimeout(resolve, ms));
                const passed = performance.now() - began;
                // The clock goes in steps of 0.1 ms; the difference of two such numbers may be off in its last bit.
                if (passed < ms - 1e-6) early.push([ms, passed]);
              }
              return early;
            }
            """
        );
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        Assert.Equal("[]", host.Answer);
    }
}
