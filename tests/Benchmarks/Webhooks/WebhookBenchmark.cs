using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Benchmarks.Http;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Webhooks;

/// <summary>
/// Acceptance of webhooks: from the request to the 202, when its event is on disk. Once while the events wait, because their function is
/// disabled, and once while the same processors also deliver them.
/// </summary>
internal sealed class WebhookBenchmark : IBenchmark
{
    private const string Secret = "the secret of the benchmark";

    /// <summary>As in webhook.lua.</summary>
    private const string Body =
        """{"event":"payment.succeeded","id":"pay_0001","amount":1000,"currency":"EUR","customer":{"id":"cus_42","name":"Ada"}}""";

    public string Name => "webhook";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await run.Installation.ServeAsync(cancellationToken);
        await run.Installation.DeployAsync("hooked", Repository.Beside("Events/idle.js"), "{}", cancellationToken);
        await ExecuteAsync(
            run,
            $$"""select functions.create_webhook('hooked', 'hooked', '{"scheme": "hmac", "secret": "{{Secret}}"}')""",
            cancellationToken
        );
        var url = new Uri(sidecar.Url, "/functions/v1/webhook/hooked");
        var delivering = await PressAsync(run, url, cancellationToken);
        await ExecuteAsync(run, "select functions.disable('hooked')", cancellationToken);
        var storing = await PressAsync(run, url, cancellationToken);
        await ExecuteAsync(run, "truncate functions_private.deliveries, functions_private.events", cancellationToken);
        return
        [
            new("webhooks accepted, function disabled", "req/s", Median(storing, load => load.PerSecond), Goal: Goal.AtLeast(5000)),
            new("webhooks accepted, function disabled: p50", "ms", Median(storing, load => load.Median)),
            new("webhooks accepted, function disabled: p99", "ms", Median(storing, load => load.Percentile99), Goal: Goal.AtMost(20)),
            new("webhooks accepted while they are delivered", "req/s", Median(delivering, load => load.PerSecond)),
            new("webhooks accepted while they are delivered: p50", "ms", Median(delivering, load => load.Median)),
            new("webhooks accepted while they are delivered: p99", "ms", Median(delivering, load => load.Percentile99)),
        ];
    }

    private static double Median(List<Load> loads, Func<Load, double> figure) => Samples.MedianOf(loads.Select(figure));

    private static async Task<List<Load>> PressAsync(BenchmarkRun run, Uri url, CancellationToken cancellationToken)
    {
        var script = Path.Combine(run.Repository.Peers, "webhook.lua");
        var signature = Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(Body)));
        await LoadGenerator.RunAsync(url, script, signature, run.WarmUp, cancellationToken);
        var loads = new List<Load>();
        for (var round = 0; round < run.Rounds; round++)
            loads.Add(await LoadGenerator.RunAsync(url, script, signature, run.Round, cancellationToken));
        return loads;
    }

    private static async Task ExecuteAsync(BenchmarkRun run, string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        command.CommandTimeout = 120;
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
