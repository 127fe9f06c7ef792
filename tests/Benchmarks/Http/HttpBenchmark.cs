using System.Net.Http.Headers;
using System.Text;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Http;

/// <summary>
/// One JSON handler in three servers, one after the other, round after round: the sidecar, workerd, and Kestrel with the handler in C#.
/// </summary>
internal sealed class HttpBenchmark : IBenchmark
{
    private const string Question = """{"name":"world","items":[1,2,3,4,5,6,7,8]}""";
    private const string Answer = """{"hello":"world","length":8}""";

    public string Name => "http";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await run.Installation.ServeAsync(cancellationToken);
        await run.Installation.DeployAsync("json", Path.Combine(run.Repository.Peers, "json.js"), "{}", cancellationToken);
        var token = await run.Installation.TokenAsync(BenchmarkRun.User, cancellationToken);
        await using var kestrel = await ServerProcess.StartAsync("Kestrel", Environment.ProcessPath!, ["kestrel"], null, cancellationToken);
        await using var workerd = run.Repository.Workerd is { } program
            ? await ServerProcess.StartAsync(
                "workerd",
                program,
                ["serve", Path.Combine(run.Repository.Peers, "workerd.capnp"), "--control-fd=1"],
                null,
                cancellationToken
            )
            : null;

        List<Contender> contenders = [new(sidecar, new Uri(sidecar.Url, "/functions/v1/invoke/json")), new(kestrel, kestrel.Url)];
        if (workerd is not null)
            contenders.Add(new(workerd, workerd.Url));
        foreach (var contender in contenders)
            await CheckAsync(contender, token, cancellationToken);
        await PressAsync(contenders, run, token, cancellationToken);
        return Compare(contenders[0], contenders[1], workerd is null ? null : contenders[2]);
    }

    /// <summary>Servers that do not do the same are not compared.</summary>
    private static async Task CheckAsync(Contender contender, string token, CancellationToken cancellationToken)
    {
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var question = new StringContent(Question, Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(contender.Url, question, cancellationToken);
        var answer = await response.Content.ReadAsStringAsync(cancellationToken);
        if (answer != Answer)
            throw new InvalidOperationException($"{contender.Server.Name} answered {(int)response.StatusCode} {answer}");
    }

    private static async Task PressAsync(List<Contender> contenders, BenchmarkRun run, string token, CancellationToken cancellationToken)
    {
        var script = Path.Combine(run.Repository.Peers, "json.lua");
        foreach (var contender in contenders)
            await LoadGenerator.RunAsync(contender.Url, script, token, run.WarmUp, cancellationToken);
        for (var round = 0; round < run.Rounds; round++)
        {
            foreach (var contender in contenders)
            {
                // What the one before left to do (its log, its collector) is not to be paid by the next.
                await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
                var before = contender.Server.ProcessorTime;
                var load = await LoadGenerator.RunAsync(contender.Url, script, token, run.Round, cancellationToken);
                contender.Loads.Add(load);
                contender.ProcessorTimes.Add((contender.Server.ProcessorTime - before).TotalMicroseconds / load.Requests);
            }
        }
    }

    private static List<Measurement> Compare(Contender ours, Contender kestrel, Contender? workerd)
    {
        var measurements = new List<Measurement>();
        foreach (var peer in new[] { workerd, kestrel })
        {
            if (peer is null)
                continue;
            var isGoal = peer == workerd;
            measurements.Add(
                Against(peer, "HTTP, JSON handler: throughput", "req/s", isGoal ? Goal.RatioAtLeast(1) : null, static one =>
                    one.Of(load => load.PerSecond)
                )
            );
            measurements.Add(Against(peer, "HTTP, JSON handler: p50", "ms", null, static one => one.Of(load => load.Median)));
            measurements.Add(
                Against(peer, "HTTP, JSON handler: p99", "ms", isGoal ? Goal.RatioAtMost(1) : null, static one =>
                    one.Of(load => load.Percentile99)
                )
            );
            measurements.Add(
                Against(peer, "HTTP, JSON handler: processor time of a request", "us", null, static one =>
                    Samples.MedianOf(one.ProcessorTimes)
                )
            );
        }
        return measurements;

        Measurement Against(Contender peer, string name, string unit, Goal? goal, Func<Contender, double> value) =>
            new(name, unit, value(ours), new Peer(peer.Server.Name, value(peer)), goal);
    }

    /// <summary>A server and its figures, one a round.</summary>
    private sealed record Contender(ServerProcess Server, Uri Url)
    {
        public List<Load> Loads { get; } = [];

        /// <summary>Microseconds a request, of the server's own process.</summary>
        public List<double> ProcessorTimes { get; } = [];

        public double Of(Func<Load, double> figure) => Samples.MedianOf(Loads.Select(figure));
    }
}
