using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Report;
using Functions.PgSidecar.Sandbox.Compilation;
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
        var completion = new TaskCompletionSource<IReadOnlyList<Measurement>>();
        var thread = new Thread(() => Complete(completion, run.Repository), WasmInstance.RunStackBytes) { IsBackground = true };
        thread.Start();
        return await completion.Task.WaitAsync(cancellationToken);
    }

    private static void Complete(TaskCompletionSource<IReadOnlyList<Measurement>> completion, Repository repository)
    {
        try
        {
            var guest = Guest(CompilationOptions.GuardPagesAreAvailable);
            using var instance = guest.Start(MemoryLimitPages);
            completion.SetResult([.. MeasureInstances(guest, instance), .. MeasureWorkloads(guest, instance, repository)]);
        }
        catch (Exception e)
        {
            // The edge of the thread: whoever waits is told.
            completion.SetException(e);
        }
    }

    private static QuickJsGuest Guest(bool guardPages) => new(JavaScriptEngine.LoadImage(JavaScriptEngine.DefaultDirectory, guardPages));

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

    private static IEnumerable<Measurement> MeasureWorkloads(QuickJsGuest guest, WasmInstance instance, Repository repository)
    {
        var comparing = Guest(guardPages: false);
        using var comparingInstance = comparing.Start(MemoryLimitPages);
        using var peer = repository.EnginePackage is { } package
            ? PeerEngine.TryStart("--experimental-wasm-extended-const", Repository.Beside("Engine/peer.mjs"), package, Workloads)
            : null;
        List<Func<string, Round>> contestants = [Contestant(guest, instance), Contestant(comparing, comparingInstance)];
        if (peer is not null)
            contestants.Add(peer.Run);
        var names = JsonSerializer.Deserialize<string[]>(guest.Evaluate(instance, "JSON.stringify(Object.keys(workloads))"))!;
        var times = names.ToDictionary(name => name, name => Contest.Run(name, Rounds, contestants));
        foreach (var (name, best) in times)
            yield return new($"JavaScript: {name}", "ms", best[0], Peer(best[^1]));
        yield return new("JavaScript: geometric mean", "ms", Mean(0), Peer(Mean(^1)), Goal.RatioAtMost(1.0));
        yield return new("JavaScript, addresses compared by code: geometric mean", "ms", Mean(1), Peer(Mean(^1)));

        double Mean(Index contestant) => Contest.Mean(times.Values.Select(best => best[contestant]));
        Peer? Peer(double time) => peer is null ? null : new Peer("V8", time);
    }

    private static Func<string, Round> Contestant(QuickJsGuest guest, WasmInstance instance)
    {
        instance.ArmStack();
        guest.Evaluate(instance, File.ReadAllText(Workloads));
        return workload => Contest.Measure(() => guest.Evaluate(instance, $"workloads.{workload}()"));
    }
}
