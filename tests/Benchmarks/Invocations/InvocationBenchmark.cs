using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Invocations;

/// <summary>
/// From handing an invocation to the pipeline until its answer, one after the other: everything of the sidecar's but HTTP.
/// </summary>
internal sealed class InvocationBenchmark : IBenchmark
{
    private const int Invocations = 10_000;

    public string Name => "invocation";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await InProcessSidecar.StartAsync(run.Installation, cancellationToken);
        await run.Installation.DeployAsync("json", Path.Combine(run.Repository.Peers, "json.js"), "{}", cancellationToken);
        var invocation = await sidecar.PrepareAsync(
            "json",
            BenchmarkRun.User,
            """{"name":"world","items":[1,2,3,4,5,6,7,8]}""",
            cancellationToken
        );
        await SteadyState.ReachAsync(() => sidecar.InvokeAsync(invocation), cancellationToken);
        var samples = new Samples();
        for (var i = 0; i < Invocations && !cancellationToken.IsCancellationRequested; i++)
            await samples.TimeAsync(() => sidecar.InvokeAsync(invocation));
        cancellationToken.ThrowIfCancellationRequested();
        return
        [
            new("invocation without HTTP: median", "us", samples.Median, Goal: Goal.AtMost(200)),
            new("invocation without HTTP: p99", "us", samples.Percentile99),
        ];
    }
}
