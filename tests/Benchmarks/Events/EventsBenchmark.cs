using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>Functions that row changes fire, beside job queues that row triggers fill, on one server that keeps what it commits.</summary>
internal sealed class EventsBenchmark : IBenchmark
{
    public string Name => "events";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        // What all delays are measured from.
        await run.Installation.RestartAsync("track_commit_timestamp", "on", cancellationToken);
        var queues = new JobQueues(run);
        foreach (var name in new[] { JobQueues.GraphileWorker, JobQueues.PgBoss }.Where(name => !queues.Has(name)))
            await Console.Error.WriteLineAsync($"{name} or Node.js 22 is not installed: its figures are left out.");

        var measurements = new List<Measurement>();
        await using (var harness = await EventHarness.StartAsync(run, cancellationToken))
        {
            await harness.ExecuteAsync(
                await File.ReadAllTextAsync(Repository.Beside("Events/tables.sql"), cancellationToken),
                cancellationToken
            );
            measurements.AddRange(await new DelayScenario(run, harness, queues).MeasureAsync(cancellationToken));
            measurements.AddRange(await new ThroughputScenario(run, harness, queues).MeasureAsync(cancellationToken));
        }
        measurements.AddRange(await new BulkScenario(run).MeasureAsync(cancellationToken));
        return measurements;
    }
}
