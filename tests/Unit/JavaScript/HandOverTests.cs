using System.Collections.Concurrent;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>
/// The hand-over of runs between threads under concurrent completions from several threads, deadlines and cancellations by callers,
/// all at random times. Each run ends exactly once, with an outcome that fits its events, in memory of its own.
/// </summary>
public sealed class HandOverTests(EngineFixture fixture)
{
    private const int Runs = 2_000;
    private const int AtOnce = 48;

    private const string Handler = """
        async event => {
          if (globalThis.owner !== undefined) throw new Error('used before: ' + globalThis.owner);
          globalThis.owner = event.n;
          for (let step = 0; step < 4; step++) {
            const rows = await Promise.all([0, 1, 2].map(i => db.query(`${event.n}/${step}/${i}`)));
            rows.forEach(([row], i) => { if (row.v !== `${event.n}/${step}/${i}`) throw new Error(`${row.v} is not mine: ${event.n}`) });
            if (globalThis.owner !== event.n) throw new Error('shared with ' + globalThis.owner);
          }
          return event.n;
        }
        """;

    [Trait("Speed", "Slow")]
    [Fact]
    public async Task Thousands_of_runs_completed_stopped_and_cancelled_at_random_stay_separate()
    {
        using var program = await fixture.HandlerAsync(Handler);
        var outcomes = new ConcurrentDictionary<RunOutcome, int>();
        var next = -1;
        await Task.WhenAll(
            Enumerable
                .Range(0, AtOnce)
                .Select(_ =>
                    Task.Run(async () =>
                    {
                        for (var n = Interlocked.Increment(ref next); n < Runs; n = Interlocked.Increment(ref next))
                        {
                            var outcome = await RunOneAsync(program, n);
                            outcomes.AddOrUpdate(outcome, 1, static (_, count) => count + 1);
                        }
                    })
                )
        );
        Assert.Equal(Runs, outcomes.Values.Sum());
        Assert.Equal(0, program.Live);
        // Every kind of outcome must occur, or the test would not cover it.
        foreach (var outcome in new[] { RunOutcome.Succeeded, RunOutcome.TimedOut, RunOutcome.Cancelled })
            Assert.True(outcomes.GetValueOrDefault(outcome) > 0, string.Join(", ", outcomes));
    }

    private async Task<RunOutcome> RunOneAsync(JavaScriptProgram program, int n)
    {
        // 0: undisturbed; 1: a deadline at a random time, or never; 2: a caller that cancels during one of the operations.
        var fate = n % 3;
        var random = new Random(n);
        using var abandon = new CancellationTokenSource();
        var fatal = random.Next(1, 13);
        var asked = 0;
        var host = new GuestHost
        {
            OnStart = operation =>
            {
                var leaves = ++asked == fatal && fate == 2;
                if (leaves)
                    _ = Task.Run(abandon.Cancel);
                // A deadline needs some waiting time to expire in. The other operations are completed at once, on two threads.
                if (fate == 1 && asked == fatal)
                    return;
                if (random.Next(3) == 0)
                    GuestHost.Succeed(operation, GuestHost.Sql(operation));
                else
                    _ = Task.Run(() => GuestHost.Succeed(operation, GuestHost.Sql(operation)));
            },
        };
        var limits = GuestLimits.Default with
        {
            Timeout = fate == 1 ? TimeSpan.FromMilliseconds(random.Next(1, 40)) : TimeSpan.FromMinutes(5),
        };
        var result = await fixture.RunAsync(program, host, $$"""{"n":{{n}}}""", limits, abandon.Token);
        Assert.True(
            result.Outcome switch
            {
                RunOutcome.Succeeded => host.Answer == $"{n}" && fate != 1,
                RunOutcome.TimedOut => fate == 1,
                RunOutcome.Cancelled => fate == 2,
                _ => false,
            },
            $"Run {n}, fate {fate}: {result}"
        );
        return result.Outcome;
    }
}
