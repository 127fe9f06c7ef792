using Functions.PgSidecar.Benchmarks.Report;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Events;

/// <summary>From a commit, by the server's clock, until the handler is entered: alone, and at 500 changes a second.</summary>
internal sealed class DelayScenario(BenchmarkRun run, EventHarness harness, JobQueues queues)
{
    private const int Pace = 500;

    /// <summary>
    /// Some 20 s: a process that has just been started compiles its code a second time meanwhile, on a processor of its own.
    /// </summary>
    private const int WarmUp = Pace * 20;
    private const int Busy = Pace * 10;

    /// <summary>So slowly that each is done before the next one begins.</summary>
    private const int PaceAlone = 50;
    private const int Alone = 500;

    private const string OursSql = """
        select extract(epoch from i.started_at + i.queue_ms * interval '1 ms' - e.occurred_at)::float8
        from functions_private.events e join functions_private.invocations i on i.request_id = e.id::text
        where e.trigger = 'changes' and e.payload -> 'new' ->> 'note' = $1
        """;

    private const string CommitsSql = """
        select id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 * 1000 from bench.announced where note = $1
        """;

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(CancellationToken cancellationToken)
    {
        await harness.FireAsync("changes", "bench.changes", "{}", cancellationToken);
        await ChangeAsync("bench.changes", cancellationToken);
        var (alone, busy) = (await OursAsync("alone", Alone, cancellationToken), await OursAsync("busy", Busy, cancellationToken));
        Samples? peerAlone = null,
            peerBusy = null;
        if (queues.Has(JobQueues.GraphileWorker))
        {
            try
            {
                using var worker = await queues.NoteAsync(WarmUp + Alone + Busy, cancellationToken);
                await ChangeAsync("bench.announced", cancellationToken);
                var begun = await JobQueues.BegunAsync(worker, cancellationToken);
                (peerAlone, peerBusy) = (
                    await PeerAsync("alone", begun, cancellationToken),
                    await PeerAsync("busy", begun, cancellationToken)
                );
            }
            catch (NpgsqlException e) when (e.InnerException is TimeoutException)
            {
                // Its trigger notifies, so commits go through one by one. Where the disk is slow, they are fewer than that.
                await Console.Error.WriteLineAsync($"graphile-worker: its table can't be written {Pace} times a second here");
            }
        }
        return
        [
            Row("commit to handler, one change at a time: p50", alone, peerAlone, samples => samples.Median, 1.5),
            Row("commit to handler, one change at a time: p99", alone, peerAlone, samples => samples.Percentile99, 10),
            Row($"commit to handler, {Pace} changes a second: p50", busy, peerBusy, samples => samples.Median, null),
            Row($"commit to handler, {Pace} changes a second: p99", busy, peerBusy, samples => samples.Percentile99, 50),
        ];
    }

    private async Task ChangeAsync(string table, CancellationToken cancellationToken)
    {
        var owner = run.Installation.Owner;
        await Changes.InsertSteadilyAsync(owner, table, "warm-up", WarmUp, Pace, cancellationToken);
        await Changes.InsertSteadilyAsync(owner, table, "alone", Alone, PaceAlone, cancellationToken);
        await Changes.InsertSteadilyAsync(owner, table, "busy", Busy, Pace, cancellationToken);
    }

    /// <summary>The log of invocations says when each handler was entered; it is written a little later.</summary>
    private async Task<Samples> OursAsync(string note, int count, CancellationToken cancellationToken)
    {
        var samples = new Samples();
        await EventHarness.UntilAsync(
            async token =>
            {
                samples = new Samples();
                await using var command = run.Installation.Owner.CreateCommand(OursSql);
                command.Parameters.AddWithValue(note);
                await using var reader = await command.ExecuteReaderAsync(token);
                while (await reader.ReadAsync(token))
                    samples.Add(TimeSpan.FromSeconds(reader.GetDouble(0)));
                return samples.Count >= count;
            },
            $"{count} invocations in the log",
            cancellationToken
        );
        return samples;
    }

    private async Task<Samples> PeerAsync(string note, Dictionary<int, double> begun, CancellationToken cancellationToken)
    {
        var samples = new Samples();
        await using var command = run.Installation.Owner.CreateCommand(CommitsSql);
        command.Parameters.AddWithValue(note);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            samples.Add(TimeSpan.FromMilliseconds(begun[reader.GetInt32(0)] - reader.GetDouble(1)));
        return samples;
    }

    private static Measurement Row(string name, Samples ours, Samples? peer, Func<Samples, double> figure, double? limit) =>
        new(
            name,
            "ms",
            figure(ours) / 1000,
            peer is null ? null : new Peer(JobQueues.GraphileWorker, figure(peer) / 1000),
            limit is { } most ? Goal.AtMost(most) : null
        );
}
