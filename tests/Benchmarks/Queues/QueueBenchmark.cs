using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Benchmarks.Events;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks.Queues;

/// <summary>
/// From the sending of a message to the function that gets it, and messages a second from a full queue, with a function that does nothing.
/// The job queues beside it empty theirs in the same way.
/// </summary>
internal sealed class QueueBenchmark : IBenchmark
{
    private const int Arrivals = 300;
    private const int Messages = 30_000;
    private const int BatchSize = 100;

    /// <summary>pg-boss by single jobs is slower than the others by an order of magnitude.</summary>
    private const int SingleJobs = 6_000;

    public string Name => "queues";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await using var sidecar = await run.Installation.ServeAsync(cancellationToken);
        await ExecuteAsync(
            run,
            """
            create schema if not exists bench; create table bench.arrivals (delay float8);
            grant usage on schema bench to service_role; grant insert on bench.arrivals to service_role;
            select functions.create_queue('arriving'), functions.create_queue('singly'), functions.create_queue('batches');
            """,
            cancellationToken
        );
        await run.Installation.DeployAsync("arrival", Repository.Beside("Queues/arrival.js"), "{}", cancellationToken);
        await run.Installation.DeployAsync("receiving", Repository.Beside("Events/idle.js"), "{}", cancellationToken);
        var median = await ArriveAsync(run, cancellationToken);
        await DrainAsync(run, "singly", 1, Messages, cancellationToken); // warms up
        var singly = await DrainAsync(run, "singly", 1, Messages, cancellationToken);
        var batches = await DrainAsync(run, "batches", BatchSize, Messages, cancellationToken);

        var queues = new JobQueues(run);
        var hasBoss = queues.Has(JobQueues.PgBoss);
        return
        [
            new Measurement("queue: from send to handler, median", "ms", median, null, Goal.AtMost(3)),
            new Measurement(
                "queue: messages singly",
                "1/s",
                singly,
                queues.Has(JobQueues.GraphileWorker) ? await GraphileWorkerAsync(run, queues, cancellationToken) : null,
                Goal.AtLeast(10_000)
            ),
            new Measurement(
                $"queue: messages in batches of {BatchSize}",
                "1/s",
                batches,
                hasBoss ? new Peer(JobQueues.PgBoss, await queues.DrainPgBossAsync(Messages, BatchSize, cancellationToken)) : null,
                Goal.AtLeast(20_000)
            ),
            .. hasBoss
                ?
                [
                    new Measurement(
                        "queue: messages singly",
                        "1/s",
                        singly,
                        new Peer(JobQueues.PgBoss, await queues.DrainPgBossAsync(SingleJobs, 1, cancellationToken))
                    ),
                ]
                : Array.Empty<Measurement>(),
        ];
    }

    /// <summary>One message at a time, when the former one has arrived.</summary>
    private static async Task<double> ArriveAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        await ExecuteAsync(run, """select functions.consume_queue('arriving', 'arrival', '{"role": "service_role"}')""", cancellationToken);
        for (var sent = 1; sent <= Arrivals; sent++)
        {
            await ExecuteAsync(
                run,
                "select pgmq.send('arriving', to_jsonb(extract(epoch from clock_timestamp()) * 1000))",
                cancellationToken
            );
            await EventHarness.UntilAsync(
                async token => await ScalarAsync<long>(run, "select count(*) from bench.arrivals", token) >= sent,
                "an arrival",
                cancellationToken
            );
        }
        return await ScalarAsync<double>(
            run,
            "select percentile_cont(0.5) within group (order by delay) from (select delay from bench.arrivals offset 50) s",
            cancellationToken
        );
    }

    /// <summary>Messages a second, when all of them are there already.</summary>
    private static async Task<double> DrainAsync(
        BenchmarkRun run,
        string queue,
        int batchSize,
        int count,
        CancellationToken cancellationToken
    )
    {
        await ExecuteAsync(
            run,
            $"select pgmq.send_batch('{queue}', array_agg(to_jsonb(n))) from generate_series(1, {count.ToString(CultureInfo.InvariantCulture)}) n",
            cancellationToken
        );
        await ExecuteAsync(run, $"vacuum analyze pgmq.q_{queue}", cancellationToken);
        await ExecuteAsync(
            run,
            $$"""select functions.consume_queue('{{queue}}', 'receiving', '{"role": "service_role", "batch_size": {{batchSize}}}')""",
            cancellationToken
        );
        var began = Stopwatch.GetTimestamp();
        await EventHarness.UntilAsync(
            async token => await ScalarAsync<bool>(run, $"select not exists (select from pgmq.q_{queue})", token),
            "an empty queue",
            cancellationToken
        );
        var rate = count / Stopwatch.GetElapsedTime(began).TotalSeconds;
        await ExecuteAsync(run, $"select functions.stop_consuming('{queue}')", cancellationToken);
        return rate;
    }

    private static async Task<Peer> GraphileWorkerAsync(BenchmarkRun run, JobQueues queues, CancellationToken cancellationToken)
    {
        using (await queues.NoteAsync(1, cancellationToken)) { } // makes its schema and its trigger
        return new Peer(JobQueues.GraphileWorker, await queues.DrainGraphileWorkerAsync(Messages, cancellationToken));
    }

    private static async Task ExecuteAsync(BenchmarkRun run, string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task<T> ScalarAsync<T>(BenchmarkRun run, string sql, CancellationToken cancellationToken)
    {
        await using var command = run.Installation.Owner.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
