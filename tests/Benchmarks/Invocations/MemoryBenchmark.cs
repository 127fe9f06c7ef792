using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.RegularExpressions;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Invocations;

/// <summary>
/// What an invocation that waits holds: the pages its instance has written to, and with them its share of the connection,
/// the request and the runtime's garbage, since it is the whole process that is measured.
/// </summary>
internal sealed partial class MemoryBenchmark : IBenchmark
{
    private const int Instances = 1_000;
    private const int WarmUp = 200;
    private const string Options = """{"concurrency":2000,"timeout_ms":300000}""";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    public string Name => "memory";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await run.Installation.ServeAsync(cancellationToken, ("PGFN_MAX_CONCURRENCY", "2000"));
        await run.Installation.DeployAsync("idle", Repository.Beside("Invocations/idle.js"), Options, cancellationToken);
        using var client = new HttpClient { BaseAddress = sidecar.Url, Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer",
            await run.Installation.TokenAsync(BenchmarkRun.User, cancellationToken)
        );
        for (var i = 0; i < WarmUp; i++)
            await AskAsync(client, wait: false, cancellationToken);

        var before = sidecar.PrivateDirtyBytes;
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var waiting = Enumerable.Range(0, Instances).Select(_ => AskAsync(client, wait: true, leaving.Token)).ToArray();
        await UntilAllRunAsync(client, waiting, cancellationToken);
        var bytes = (sidecar.PrivateDirtyBytes - before) / (double)Instances;

        await leaving.CancelAsync();
        await Task.WhenAll(waiting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return [new($"private memory of a waiting invocation ({Instances:N0} of them)", "KiB", bytes / 1024)];
    }

    private static async Task UntilAllRunAsync(HttpClient client, Task[] waiting, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        while (
            Running().Match(await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), patience.Token)) is var match
            && int.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture) < Instances
        )
        {
            if (waiting.FirstOrDefault(task => task.IsCompleted) is { } ended)
                await ended;
            await Task.Delay(Pause, patience.Token);
        }
        // Those admitted last may not have reached their timer yet.
        await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
    }

    private static async Task AskAsync(HttpClient client, bool wait, CancellationToken cancellationToken)
    {
        using var question = new StringContent(wait ? """{"wait":true}""" : """{"wait":false}""", Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(new Uri("/functions/v1/invoke/idle", UriKind.Relative), question, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    [GeneratedRegex(@"^functions_running (?<count>\d+)", RegexOptions.Multiline)]
    private static partial Regex Running();
}
