using System.Diagnostics;
using Functions.PgSidecar.Benchmarks.Events;
using Functions.PgSidecar.Benchmarks.Http;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Replicas;

/// <summary>
/// What one, two and four sidecars on one database do together. On one machine they share its processors with PostgreSQL and the load
/// generator, so this shows what they cost each other, not what further machines would bring.
/// </summary>
internal sealed class ReplicaBenchmark : IBenchmark
{
    private const int Events = 60_000;
    private const int WarmUp = 20_000;
    private const string Table = "replicas.changes";

    private static readonly int[] Counts = [1, 2, 4];

    public string Name => "replicas";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        var sidecars = new List<EventHarness>();
        try
        {
            sidecars.Add(await EventHarness.StartAsync(run, cancellationToken));
            await sidecars[0]
                .ExecuteAsync(
                    $"create schema replicas; create table {Table} (id int generated always as identity primary key, note text not null)",
                    cancellationToken
                );
            await sidecars[0].FireAsync("replicas", Table, "{}", cancellationToken);
            await run.Installation.DeployAsync("json", Path.Combine(run.Repository.Peers, "json.js"), "{}", cancellationToken);
            List<double> answered = [],
                delivered = [];
            foreach (var count in Counts)
            {
                while (sidecars.Count < count)
                    sidecars.Add(await EventHarness.StartAsync(run, cancellationToken));
                answered.Add(await AnswerAsync(run, sidecars, cancellationToken));
                await DeliverAsync(run, sidecars, WarmUp, cancellationToken);
                delivered.Add(await DeliverAsync(run, sidecars, Events, cancellationToken));
            }
            return [.. Rows("HTTP, JSON handler", "req/s", answered), .. Rows("row changes end to end, singly", "events/s", delivered)];
        }
        finally
        {
            foreach (var sidecar in sidecars)
                await sidecar.DisposeAsync();
        }
    }

    private static IEnumerable<Measurement> Rows(string name, string unit, List<double> values) =>
        values.Select(
            (value, index) =>
                new Measurement(
                    $"{Counts[index]} sidecar{(index == 0 ? "" : "s")}: {name}",
                    unit,
                    value,
                    index == 0 ? null : new Peer("1 sidecar", values[0])
                )
        );

    /// <summary>Requests a second of all together, each with 32 connections of its own.</summary>
    private static async Task<double> AnswerAsync(BenchmarkRun run, List<EventHarness> sidecars, CancellationToken cancellationToken)
    {
        var token = await run.Installation.TokenAsync(BenchmarkRun.User, cancellationToken);
        var script = Path.Combine(run.Repository.Peers, "json.lua");
        await PressAsync(run.WarmUp);
        var sums = new List<double>();
        for (var round = 0; round < run.Rounds; round++)
            sums.Add((await PressAsync(run.Round)).Sum(static load => load.PerSecond));
        return Samples.MedianOf(sums);

        Task<Load[]> PressAsync(TimeSpan duration) =>
            Task.WhenAll(
                sidecars.Select(sidecar =>
                    LoadGenerator.RunAsync(
                        new Uri(sidecar.Sidecar.Url, "/functions/v1/invoke/json"),
                        script,
                        token,
                        duration,
                        cancellationToken
                    )
                )
            );
    }

    /// <summary>Events a second, from the first insert until the last of them has been delivered by one of the sidecars.</summary>
    private static async Task<double> DeliverAsync(
        BenchmarkRun run,
        List<EventHarness> sidecars,
        int count,
        CancellationToken cancellationToken
    )
    {
        var before = await SumAsync(cancellationToken);
        var began = Stopwatch.GetTimestamp();
        await Changes.InsertTogetherAsync(run.Installation.Owner, Table, count, cancellationToken);
        await EventHarness.UntilAsync(
            async token => await SumAsync(token) >= before + count,
            $"{count} deliveries by {sidecars.Count} sidecars",
            cancellationToken
        );
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;

        async Task<long> SumAsync(CancellationToken token) =>
            (await Task.WhenAll(sidecars.Select(sidecar => sidecar.DeliveredAsync(token)))).Sum();
    }
}
