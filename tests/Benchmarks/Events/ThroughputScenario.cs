using System.Diagnostics;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>
/// Events a second with a handler that does nothing. Ours count from the first change, so writing the rows and reading the WAL are part of it;
/// the peers count from the first job of a queue that is full.
/// </summary>
internal sealed class ThroughputScenario(BenchmarkRun run, EventStage stage, JobQueues queues)
{
    private const int Events = 60_000;
    private const int WarmUp = 20_000;
    private const int BatchSize = 100;

    /// <summary>pg-boss by single jobs is slower than the others by an order of magnitude.</summary>
    private const int SingleJobs = 6_000;

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(CancellationToken cancellationToken)
    {
        await stage.FireAsync("singly", "{}", cancellationToken);
        await stage.FireAsync("batches", $$"""{"batch_size":{{BatchSize}}}""", cancellationToken);
        await DeliverAsync("bench.singly", WarmUp, cancellationToken);
        var singly = await DeliverAsync("bench.singly", Events, cancellationToken);
        await DeliverAsync("bench.batches", WarmUp, cancellationToken);
        var batches = await DeliverAsync("bench.batches", Events, cancellationToken);

        var (singlePeers, batchPeers) = (new List<Peer>(), new List<Peer>());
        if (queues.Has(JobQueues.GraphileWorker))
            singlePeers.Add(new Peer(JobQueues.GraphileWorker, await queues.DrainGraphileWorkerAsync(Events, cancellationToken)));
        if (queues.Has(JobQueues.PgBoss))
        {
            singlePeers.Add(new Peer(JobQueues.PgBoss, await queues.DrainPgBossAsync(SingleJobs, 1, cancellationToken)));
            batchPeers.Add(new Peer(JobQueues.PgBoss, await queues.DrainPgBossAsync(Events, BatchSize, cancellationToken)));
        }
        return
        [
            .. Rows("end to end, singly", singly, singlePeers, 6_000),
            .. Rows($"end to end, in batches of {BatchSize}", batches, batchPeers, 20_000),
        ];
    }

    private async Task<double> DeliverAsync(string table, int count, CancellationToken cancellationToken)
    {
        var before = await stage.DeliveredAsync(cancellationToken);
        var began = Stopwatch.GetTimestamp();
        await Changes.InsertTogetherAsync(run.Installation.Owner, table, count, cancellationToken);
        await stage.UntilDeliveredAsync(before + count, cancellationToken);
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>The goal stands beside the best of the peers.</summary>
    private static IEnumerable<Measurement> Rows(string name, double ours, List<Peer> peers, double goal)
    {
        if (peers.Count == 0)
            return [new Measurement(name, "events/s", ours, null, Goal.AtLeast(goal))];
        return peers.OrderByDescending(peer => peer.Value).Select((peer, i) => new Measurement(name, "events/s", ours, peer, i == 0 ? Goal.AtLeast(goal) : null));
    }
}
