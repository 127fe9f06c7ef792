using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>What an instance costs, and how fast compiled WebAssembly runs, beside V8 running the same module when Node.js is there.</summary>
internal sealed class EngineBenchmark : IBenchmark
{
    private const int Rounds = 20;
    private const int InstanceRounds = 2000;
    private const int LiveInstances = 10_000;
    private const int MemoryLimitPages = 2048;

    private static readonly string Workloads = Repository.Beside("Engine/workloads.js");

    public string Name => "engine";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        // Guest code needs the stack of a sandbox thread.
        var completion = new TaskCompletionSource<(IReadOnlyList<Measurement> Instances, Dictionary<string, double> Times)>();
        var thread = new Thread(() => Complete(completion), WasmInstance.RunStackBytes) { IsBackground = true };
        thread.Start();
        var (instances, ours) = await completion.Task.WaitAsync(cancellationToken);
        return [.. instances, .. Compare(ours, await RunPeerAsync(run.Repository, cancellationToken))];
    }

    private static void Complete(TaskCompletionSource<(IReadOnlyList<Measurement> Instances, Dictionary<string, double> Times)> completion)
    {
        try
        {
            var guest = new QuickJsGuest(CompiledImage.Load(Path.Combine(JavaScriptEngine.DefaultDirectory, "quickjs.dll")));
            using var instance = guest.Start(MemoryLimitPages);
            completion.SetResult((MeasureInstances(guest, instance), MeasureWorkloads(guest, instance)));
        }
        catch (Exception e)
        {
            // The edge of the thread: whoever waits is told.
            completion.SetException(e);
        }
    }

    private static IReadOnlyList<Measurement> MeasureInstances(QuickJsGuest guest, WasmInstance instance)
    {
        using var snapshot = instance.Snapshot();
        var (create, dispose, reset) = (new Samples(), new Samples(), new Samples());
        for (var round = 0; round < InstanceRounds; round++)
        {
            WasmInstance? made = null;
            create.Time(() => made = guest.Image.Instantiate(snapshot, MemoryLimitPages));
            made!.ArmStack();
            guest.Evaluate(made, "let answer = 40; answer + 2");
            dispose.Time(made.Dispose);
        }

        var whole = new Samples();
        using var handling = SnapshotOfHandler(guest);
        SteadyState.Reach(() => RunHandler(guest, handling));
        for (var round = 0; round < InstanceRounds; round++)
            whole.Time(() => RunHandler(guest, handling));
        using var pooled = guest.Image.Instantiate(snapshot, MemoryLimitPages);
        for (var round = 0; round < InstanceRounds; round++)
        {
            pooled.ArmStack();
            guest.Evaluate(pooled, "let answer = 40; answer + 2");
            reset.Time(() => pooled.Reset(snapshot));
        }
        var live = MeasureLive(guest, handling);
        return
        [
            new("instance: new from the snapshot, median", "us", create.Median),
            new("instance: back to the snapshot after a run, median", "us", reset.Median),
            new("instance: freed, median", "us", dispose.Median),
            new("instance: new, an empty handler run, freed, median", "us", whole.Median, Goal: Goal.AtMost(60)),
            new($"{LiveInstances:N0} live instances that have run, private memory", "MiB", live, Goal: Goal.AtMost(1536)),
            new("private memory of a live idle instance (one of those)", "KiB", live * 1024 / LiveInstances, Goal: Goal.AtMost(300)),
        ];
    }

    private static InstanceSnapshot SnapshotOfHandler(QuickJsGuest guest)
    {
        using var instance = guest.Start(MemoryLimitPages);
        guest.Evaluate(instance, "globalThis.handler = () => {}");
        return instance.Snapshot();
    }

    private static void RunHandler(QuickJsGuest guest, InstanceSnapshot snapshot)
    {
        using var instance = guest.Image.Instantiate(snapshot, MemoryLimitPages);
        instance.ArmStack();
        guest.Evaluate(instance, "handler()");
    }

    /// <summary>The whole process's private memory, in MiB, that so many instances add by having run and being kept.</summary>
    private static double MeasureLive(QuickJsGuest guest, InstanceSnapshot snapshot)
    {
        var live = new List<WasmInstance>(LiveInstances);
        var before = PrivateKilobytes();
        try
        {
            while (live.Count < LiveInstances)
            {
                var instance = guest.Image.Instantiate(snapshot, MemoryLimitPages);
                live.Add(instance);
                instance.ArmStack();
                guest.Evaluate(instance, "handler()");
            }

            return (PrivateKilobytes() - before) / 1024.0;
        }
        finally
        {
            live.ForEach(instance => instance.Dispose());
        }
    }

    private static long PrivateKilobytes() => File.ReadLines("/proc/self/smaps_rollup")
        .Where(line => line.StartsWith("Private_", StringComparison.Ordinal))
        .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture));

    /// <summary>Milliseconds of each workload.</summary>
    private static Dictionary<string, double> MeasureWorkloads(QuickJsGuest guest, WasmInstance instance)
    {
        instance.ArmStack();
        guest.Evaluate(instance, File.ReadAllText(Workloads));
        var names = JsonSerializer.Deserialize<string[]>(guest.Evaluate(instance, "JSON.stringify(Object.keys(workloads))"))!;
        return names.ToDictionary(name => name, name => Enumerable.Range(0, Rounds).Min(_ => Evaluate(guest, instance, name)));
    }

    /// <summary>
    /// Processor time of one round. The best of them counts: by then both engines have compiled what they will compile, whatever else the machine does.
    /// </summary>
    private static double Evaluate(QuickJsGuest guest, WasmInstance instance, string workload)
    {
        var before = Environment.CpuUsage.TotalTime;
        guest.Evaluate(instance, $"workloads.{workload}()");
        return (Environment.CpuUsage.TotalTime - before).TotalMilliseconds;
    }

    private static IEnumerable<Measurement> Compare(Dictionary<string, double> ours, Dictionary<string, double>? peer)
    {
        foreach (var (name, time) in ours)
            yield return Row(name, time, peer?[name], goal: null);
        yield return Row("geometric mean", GeometricMean(ours.Values), peer is null ? null : GeometricMean(peer.Values), Goal.RatioAtMost(1.0));

        static Measurement Row(string name, double time, double? peer, Goal? goal) =>
            new($"JavaScript: {name}", "ms", time, peer is { } value ? new Peer("V8", value) : null, goal);
    }

    private static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    private static async Task<Dictionary<string, double>?> RunPeerAsync(Repository repository, CancellationToken cancellationToken)
    {
        if (repository.EnginePackage is not { } package)
            return null;
        string[] arguments = ["--experimental-wasm-extended-const", Repository.Beside("Engine/peer.mjs"), package, Workloads, $"{Rounds}"];
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, double>>(await Command.RunAsync("node", arguments, null, cancellationToken));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
