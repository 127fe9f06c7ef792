using System.Diagnostics;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>
/// Events a second with a handler that does nothing, from the first change on: writing the rows, and reading the WAL or adding jobs by a
/// row
/// trigger, are part of it. Beside it the peers that only empty a queue that is full.
/// </summary>
internal sealed class ThroughputScenario(BenchmarkRun run, EventHarness harness, JobQueues queues)
{
    private const int Events = 60_000;
    private const int WarmUp = 100_000;
    private const int BatchSize = 100;

    /// <summary>pg-boss by single jobs is slower than the others by an order of magnitude.</summary>
    private const int SingleJobs = 6_000;

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(CancellationToken cancellationToken)
    {
        await harness.FireAsync("singly", "bench.singly", "{}", cancellationToken);
        await harness.FireAsync("batches", "bench.batches", $$"""{"batch_size":{{BatchSize}}}""", cancellationToken);
        await DeliverAsync("bench.singly", WarmUp, cancellationToken);
        var singly = await DeliverAsync("bench.singly", Events, cancellationToken);
        await DeliverAsync("bench.batches", WarmUp, cancellationToken);
        var batches = await DeliverAsync("bench.batches", Events, cancellationToken);

        List<Peer> singlePeers = [],
            fullPeers = [],
            fullBatchPeers = [];
        if (queues.Has(JobQueues.GraphileWorker))
        {
            singlePeers.Add(new Peer(JobQueues.GraphileWorker, await queues.FollowGraphileWorkerAsync(Events, cancellationToken)));
            fullPeers.Add(new Peer(JobQueues.GraphileWorker, await queues.DrainGraphileWorkerAsync(Events, cancellationToken)));
        }
        if (queues.Has(JobQueues.PgBoss))
        {
            fullPeers.Add(new Peer(JobQueues.PgBoss, await queues.DrainPgBossAsync(SingleJobs, 1, cancellationToken)));
            fullBatchPeers.Add(new Peer(JobQueues.PgBoss, await queues.DrainPgBossAsync(Events, BatchSize, cancellationToken)));
        }
        return
        [
            .. Rows("end to end, singly", singly, singlePeers, 6_000),
            .. Rows("end to end, singly; the peer only empties its queue", singly, fullPeers, null),
            .. Rows($"end to end, in batches of {BatchSize}; the peer only empties its queue", batches, fullBatchPeers, 20_000),
        ];
    }

    private async Task<double> DeliverAsync(string table, int count, CancellationToken cancellationToken)
    {
        var before = await harness.DeliveredAsync(cancellationToken);
        var began = Stopwatch.GetTimestamp();
        await Changes.InsertTogetherAsync(run.Installation.Owner, table, count, cancellationToken);
        await harness.UntilDeliveredAsync(before + count, cancellationToken);
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static IEnumerable<Measurement> Rows(string name, double ours, List<Peer> peers, double? goal)
    {
        var target = goal is { } least ? Goal.AtLeast(least) : null;
        return peers.Count == 0
            ? [new Measurement(name, "events/s", ours, null, target)]
            : peers.Select(peer => new Measurement(name, "events/s", ours, peer, target));
    }
}
