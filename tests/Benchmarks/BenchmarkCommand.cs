using System.Globalization;
using System.Runtime.InteropServices;
using Functions.PgSidecar.Benchmarks.Ai;
using Functions.PgSidecar.Benchmarks.Engine;
using Functions.PgSidecar.Benchmarks.Events;
using Functions.PgSidecar.Benchmarks.Http;
using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Invocations;
using Functions.PgSidecar.Benchmarks.Modules;
using Functions.PgSidecar.Benchmarks.Objects;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Queues;
using Functions.PgSidecar.Benchmarks.Replicas;
using Functions.PgSidecar.Benchmarks.Report;
using Functions.PgSidecar.Benchmarks.Schedules;
using Functions.PgSidecar.Benchmarks.Vectors;
using Functions.PgSidecar.Benchmarks.Webhooks;

namespace Functions.PgSidecar.Benchmarks;

/// <summary>One run of the benchmarks, as the command line describes it.</summary>
internal sealed class BenchmarkCommand
{
    public const string Usage =
        "Functions.PgSidecar.Benchmarks [--seconds N] [--rounds N] [--only http,invocation,query,cache,queues,storage,objects,vectors,ai,cold,memory,engine,kernels,module,events,writer,webhook,schedules,replicas]";

    private static readonly IBenchmark[] All =
    [
        new HttpBenchmark(),
        new InvocationBenchmark(),
        new QueryBenchmark(),
        new CacheBenchmark(),
        new QueueBenchmark(),
        new StorageBenchmark(),
        new ObjectsBenchmark(),
        new VectorBenchmark(),
        new AiBenchmark(),
        new ColdStartBenchmark(),
        new MemoryBenchmark(),
        new EngineBenchmark(),
        new KernelBenchmark(),
        new ModuleBenchmark(),
        new EventsBenchmark(),
        new WriterBenchmark(),
        new WebhookBenchmark(),
        new ScheduleBenchmark(),
        new ReplicaBenchmark(),
    ];

    private int seconds = 8;
    private int rounds = 3;
    private IBenchmark[] benchmarks = All;

    /// <summary>Reads the command line.</summary>
    /// <returns><see langword="null"/> where something of it is not understood.</returns>
    public static BenchmarkCommand? Parse(string[] args)
    {
        var command = new BenchmarkCommand();
        if (args.Length % 2 != 0)
            return null;
        foreach (var pair in args.Chunk(2))
        {
            var isUnderstood = pair[0] switch
            {
                "--seconds" => TryCount(pair[1], out command.seconds),
                "--rounds" => TryCount(pair[1], out command.rounds),
                "--only" => command.TryChoose(pair[1].Split(',')),
                _ => false,
            };
            if (!isUnderstood)
                return null;
        }
        return command;
    }

    /// <summary>Measures, prints the table and writes it to <c>artifacts/bench</c>.</summary>
    /// <returns>The process's exit code: 0 also where a goal is missed, since other machines have other figures.</returns>
    public async Task<int> RunAsync()
    {
        using var stopping = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            var report = await MeasureAsync(stopping.Token);
            report.Save(Repository.Find().Results);
            Console.WriteLine();
            Console.Write(report.ToText());
            return 0;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return 130;
        }

        void Stop(PosixSignalContext context)
        {
            // What has been started is stopped first.
            context.Cancel = true;
            stopping.Cancel();
        }
    }

    private async Task<BenchmarkReport> MeasureAsync(CancellationToken cancellationToken)
    {
        var repository = Repository.Find();
        await using var installation = await PrivateInstallation.StartAsync(repository, cancellationToken);
        var node = await PeerNode.FindAsync(repository);
        var machine = await Machine.DescribeAsync(repository, node, await installation.ServerVersionAsync(cancellationToken));
        var run = new BenchmarkRun(repository, installation, TimeSpan.FromSeconds(seconds), rounds, node);
        var measurements = new List<Measurement>();
        foreach (var benchmark in benchmarks)
        {
            await Console.Error.WriteLineAsync($"measuring: {benchmark.Name}");
            measurements.AddRange(await benchmark.MeasureAsync(run, cancellationToken));
        }
        return new BenchmarkReport(machine, measurements);
    }

    private bool TryChoose(string[] names)
    {
        benchmarks = [.. All.Where(benchmark => names.Contains(benchmark.Name))];
        return benchmarks.Length == names.Length;
    }

    private static bool TryCount(string text, out int count) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0;
}
