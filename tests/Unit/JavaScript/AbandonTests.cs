using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Tests.Unit.JavaScript;

/// <summary>Callers that disconnect before, during and after their run.</summary>
public sealed class AbandonTests(EngineFixture fixture)
{
    private static readonly GuestLimits Long = GuestLimits.Default with { Timeout = TimeSpan.FromMinutes(5) };

    [Fact]
    public async Task Run_cancelled_before_its_start_never_starts()
    {
        using var program = await fixture.HandlerAsync("() => { db.query('x') }");
        var host = new GuestHost { OnStart = _ => Assert.Fail("The guest ran.") };
        var result = await fixture.RunAsync(program, host, abandon: new CancellationToken(canceled: true));
        Assert.Equal((RunOutcome.Cancelled, TimeSpan.Zero), (result.Outcome, result.CpuTime));
    }

    [Theory]
    [InlineData("async () => { db.query('x'); for (;;); }")]
    [InlineData("async () => { db.query('x'); for (;;) await null; }")]
    [InlineData("async () => { await db.query('x') }")]
    [InlineData("async () => { db.query('x'); await new Promise(resolve => setTimeout(resolve, 1e6)) }")]
    public async Task Cancellation_stops_a_run_that_computes_or_waits(string handler)
    {
        using var program = await fixture.HandlerAsync(handler);
        using var abandon = new CancellationTokenSource();
        var host = new GuestHost();
        var run = fixture.Begin(program, host, limits: Long, abandon: abandon.Token);
        await host.NextAsync();
        await abandon.CancelAsync();
        Assert.Equal(RunOutcome.Cancelled, (await run.WaitAsync(EngineFixture.Patience)).Outcome);
        Assert.Equal(0, program.Live);
    }

    [Fact]
    public async Task Run_cancelled_during_a_host_call_does_not_wait_for_its_deadline()
    {
        using var program = await fixture.HandlerAsync("() => db.query('x')");
        using var abandon = new CancellationTokenSource();
        var host = new GuestHost { OnStart = _ => abandon.Cancel() };
        var result = await fixture.RunAsync(program, host, limits: Long, abandon: abandon.Token);
        Assert.Equal(RunOutcome.Cancelled, result.Outcome);
    }

    [Fact]
    public async Task Caller_cannot_cancel_work_that_continues_after_the_response()
    {
        using var program = await fixture.CompileAsync(
            """
            export default { fetch(request, env, ctx) { ctx.waitUntil(env.DB.prepare('x').run()); return new Response('early') } };
            """
        );
        using var abandon = new CancellationTokenSource();
        var host = new GuestHost { OnRespond = abandon.Cancel };
        var envelope =
            """{"kind":"http","trigger":"http","request":{"method":"GET","url":"http://x/","headers":[]},"path":"/","query":{},"user_id":null,"request_id":"r","env":{},"now":0}"""u8;
        var run = program.RunAsync(new RunRequest(envelope.ToArray(), default, Long), host, abandon.Token);
        GuestHost.Succeed(await host.NextAsync(), "done");
        Assert.Equal(RunOutcome.Succeeded, (await run.WaitAsync(EngineFixture.Patience)).Outcome);
        Assert.Equal("early", host.Answer);
    }
}
