using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Every outcome of a run.</summary>
public sealed class OutcomeTests(EngineFixture fixture)
{
    private static readonly GuestLimits Short = new(TimeSpan.FromMilliseconds(200), 32L << 20);

    [Fact]
    public async Task Handler_that_returns_succeeds_and_its_usage_is_reported()
    {
        var (result, host) = await fixture.TryAsync("event => ({ sum: 1 + 2 })");
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        Assert.Null(result.Error);
        Assert.Equal("""{"sum":3}""", host.Answer);
        Assert.True(result.CpuTime > TimeSpan.Zero);
        Assert.InRange(result.MemoryPeakBytes, 1 << 20, 128 << 20);
    }

    [Theory]
    [InlineData("() => { throw new TypeError('no') }", "TypeError", "no", null)]
    [InlineData("async () => { await null; throw Object.assign(new Error('x'), { code: '23505' }) }", "Error", "x", "23505")]
    [InlineData("() => 1n", "TypeError", null, null)]
    [InlineData("() => { const f = () => f(); f() }", "RangeError", null, null)]
    public async Task Handler_that_throws_reports_the_error(string handler, string name, string? message, string? code)
    {
        var (result, host) = await fixture.TryAsync(handler);
        Assert.Equal((RunOutcome.Threw, name, code), (result.Outcome, result.Error!.Name, result.Error.Code));
        if (message is not null)
            Assert.Equal(message, result.Error.Message);
        Assert.Null(host.Answer);
    }

    [Theory]
    [InlineData("() => { for (;;); }")]
    [InlineData("async () => { for (;;) await null; }")]
    [InlineData("() => new Promise(resolve => setTimeout(resolve, 1e6))")]
    [InlineData("() => db.query('never answered')")]
    [InlineData("async () => { await db.query('at once'); for (;;); }")]
    public async Task Run_past_its_deadline_times_out_computing_or_waiting(string handler)
    {
        var host = new GuestHost
        {
            OnStart = operation =>
            {
                if (GuestHost.Sql(operation) == "at once")
                    GuestHost.Succeed(operation, "");
            },
        };
        var (result, _) = await fixture.TryAsync(handler, Short, host);
        Assert.Equal(RunOutcome.TimedOut, result.Outcome);
    }

    [Fact]
    public async Task CPU_limit_has_its_own_outcome_and_does_not_count_waiting()
    {
        var limits = new GuestLimits(TimeSpan.FromSeconds(30), 32L << 20, TimeSpan.FromMilliseconds(100));
        var (computes, _) = await fixture.TryAsync("async () => { await new Promise(r => setTimeout(r, 1)); for (;;); }", limits);
        Assert.Equal(RunOutcome.OutOfCpu, computes.Outcome);
        var (waits, _) = await fixture.TryAsync("() => new Promise(resolve => setTimeout(() => resolve(1), 300))", limits);
        Assert.Equal(RunOutcome.Succeeded, waits.Outcome);
    }

    [Theory]
    [InlineData("() => { const all = []; for (;;) all.push(new Array(1000).fill({})) }")]
    [InlineData("() => new Uint8Array(1 << 30).length")]
    [InlineData("async () => { let s = 'x'; for (;;) { s += s; s.charCodeAt(7); await null } }")]
    public async Task Memory_limit_has_its_own_outcome(string handler)
    {
        var (result, _) = await fixture.TryAsync(handler, EngineFixture.Limits with { MemoryBytes = 16L << 20 });
        Assert.Equal(RunOutcome.OutOfMemory, result.Outcome);
        Assert.InRange(result.MemoryPeakBytes, 1, 16 << 20);
    }

    [Fact]
    public async Task Host_result_too_large_for_the_guests_memory_ends_only_that_run()
    {
        var host = new GuestHost { OnStart = operation => operation.Succeed(new byte[64 << 20]) };
        var (result, _) = await fixture.TryAsync("() => db.query('much')", EngineFixture.Limits with { MemoryBytes = 16L << 20 }, host);
        Assert.Equal(RunOutcome.OutOfMemory, result.Outcome);
    }

    [Theory]
    [InlineData("() => new Promise(() => {})")]
    [InlineData("async () => { await db.query('at once'); await new Promise(() => {}); }")]
    public async Task Promise_that_nothing_can_settle_ends_the_run_at_once(string handler)
    {
        var host = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
        var (result, _) = await fixture.TryAsync(handler, GuestLimits.Default with { Timeout = TimeSpan.FromMinutes(5) }, host);
        Assert.Equal((RunOutcome.Threw, "NEVER_SETTLED"), (result.Outcome, result.Error!.Code));
    }

    [Fact]
    public async Task Unhandled_rejection_is_logged_once_and_a_late_handled_one_is_not()
    {
        var (result, host) = await fixture.TryAsync(
            """
            async () => {
              Promise.reject(new Error('dropped'));
              const late = Promise.reject(new Error('late'));
              late.catch(() => {});
              await new Promise(resolve => setTimeout(resolve, 5));
              return 1;
            }
            """
        );
        Assert.Equal(RunOutcome.Succeeded, result.Outcome);
        Assert.Contains(
            "dropped",
            Assert.Single(host.Lines, line => line.StartsWith("Error", StringComparison.Ordinal)),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Host_exception_ends_the_run_with_HostError_and_the_next_run_works()
    {
        static void Throw() => throw new InvalidCastException("a defect");
        using var program = await fixture.HandlerAsync("async event => { console.log('x'); await db.query('x'); return 'ok' }");
        GuestHost[] broken =
        [
            new() { OnStart = _ => Throw() },
            new() { OnLog = Throw },
            new() { OnStart = o => GuestHost.Succeed(o, ""), OnRespond = Throw },
        ];
        foreach (var host in broken)
        {
            var failed = await fixture.RunAsync(program, host);
            Assert.Equal(
                (RunOutcome.HostError, nameof(InvalidCastException), "a defect"),
                (failed.Outcome, failed.Error!.Name, failed.Error.Message)
            );
            var healthy = new GuestHost { OnStart = operation => GuestHost.Succeed(operation, "") };
            Assert.Equal(RunOutcome.Succeeded, (await fixture.RunAsync(program, healthy)).Outcome);
            Assert.Equal("\"ok\"", healthy.Answer);
        }
        Assert.Equal(0, program.Live);
    }
}
