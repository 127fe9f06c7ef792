using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Invocations;

/// <summary>How soon a process that has just been started answers for a function that was deployed before.</summary>
internal sealed class ColdStartBenchmark : IBenchmark
{
    private const int Starts = 5;

    public string Name => "cold";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer",
            await run.Installation.TokenAsync(BenchmarkRun.User, cancellationToken)
        );
        await using (var sidecar = await run.Installation.ServeAsync(cancellationToken))
        {
            await run.Installation.DeployAsync("json", Path.Combine(run.Repository.Peers, "json.js"), "{}", cancellationToken);
            // The client is not to be measured: it has sent requests like this before.
            await AskAsync(client, sidecar.Url, cancellationToken);
        }

        var (ready, first, whole) = (new List<double>(), new List<double>(), new List<double>());
        for (var i = 0; i < Starts; i++)
        {
            await using var sidecar = await run.Installation.ServeAsync(cancellationToken);
            var began = Stopwatch.GetTimestamp();
            await AskAsync(client, sidecar.Url, cancellationToken);
            first.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            whole.Add(sidecar.Age.TotalMilliseconds);
            ready.Add(sidecar.ReadyAfter.TotalMilliseconds);
        }
        return
        [
            new("first answer of a process that serves", "ms", Samples.MedianOf(first), Goal: Goal.AtMost(50)),
            new("from the start of the process until it serves", "ms", Samples.MedianOf(ready)),
            new("from the start of the process to the first answer", "ms", Samples.MedianOf(whole)),
        ];
    }

    private static async Task AskAsync(HttpClient client, Uri server, CancellationToken cancellationToken)
    {
        using var question = new StringContent("""{"name":"world","items":[1,2,3]}""", Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(new Uri(server, "/functions/v1/invoke/json"), question, cancellationToken);
        response.EnsureSuccessStatusCode();
    }
}
