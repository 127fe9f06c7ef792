using System.Globalization;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Report;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>
/// What an instance costs, and how fast QuickJS runs in the sandbox, beside V8 running the same release of it when Node.js is there.
/// </summary>
internal sealed class EngineBenchmark : IBenchmark
{
    private const int Rounds = 20;
    private const int InstanceRounds = 2000;
    private const int LiveInstances = 10_000;
    private const long MemoryLimit = 128 << 20;

    private static readonly string Workloads = Repository.Beside("Engine/workloads.js");

    public string Name => "engine";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        // Guest code needs the stack of a sandbox thread.
        var completion = new TaskCompletionSource<IReadOnlyList<Measurement>>();
        var thread = new Thread(() => Complete(completion, run.Repository), SandboxThread.StackBytes) { IsBackground = true };
        thread.Start();
        return await completion.Task.WaitAsync(cancellationToken);
    }

    private static void Complete(TaskCompletionSource<IReadOnlyList<Measurement>> completion, Repository repository)
    {
        try
        {
            using var image = GuestImage.Load(JavaScriptEngine.DefaultDirectory);
            completion.SetResult([.. MeasureInstances(image), .. MeasureWorkloads(image, repository)]);
        }
        catch (Exception e)
        {
            // The edge of the thread: whoever waits is told.
            completion.SetException(e);
        }
    }

    private static IReadOnlyList<Measurement> MeasureInstances(GuestImage image)
    {
        using var handling = SnapshotOfHandler(image, out var handles);
        var (create, dispose, whole) = (new Samples(), new Samples(), new Samples());
        for (var round = 0; round < InstanceRounds; round++)
        {
            QuickJs? made = null;
            create.Time(() => made = New(image, handling, handles));
            Handle(made!);
            dispose.Time(made!.Dispose);
        }

        void RunHandler()
        {
            using var guest = New(image, handling, handles);
            Handle(guest);
        }

        SteadyState.Reach(RunHandler);
        for (var round = 0; round < InstanceRounds; round++)
            whole.Time(RunHandler);
        var live = MeasureLive(image, handling, handles);
        return
        [
            new("instance: new, in memory that was put back, median", "us", create.Median),
            new("instance: freed, its memory put back, median", "us", dispose.Median),
            new("instance: new, an empty handler run, freed, median", "us", whole.Median, Goal: Goal.AtMost(64)),
            new($"{LiveInstances:N0} live instances that have run, private memory", "MiB", live, Goal: Goal.AtMost(1536)),
            new("private memory of a live idle instance (one of those)", "KiB", live * 1024 / LiveInstances, Goal: Goal.AtMost(130)),
        ];
    }

    private static GuestSnapshot SnapshotOfHandler(GuestImage image, out GuestHandles handles)
    {
        using var guest = Preparation.Initialize(image, MemoryLimit);
        handles = guest.Handles;
        Evaluate(guest, "globalThis.handler = () => {}");
        return GuestSnapshot.Of(guest.Instance);
    }

    private static QuickJs New(GuestImage image, GuestSnapshot snapshot, GuestHandles handles) =>
        new(snapshot.Instantiate(image.Code, MemoryLimit), handles);

    private static void Handle(QuickJs guest) => Evaluate(guest, "handler()");

    private static string Evaluate(QuickJs guest, string script)
    {
        var value = guest.Eval(Encoding.UTF8.GetBytes(script), "benchmark.js", module: false);
        var text = guest.GetText(value);
        guest.Release(value);
        return text;
    }

    /// <summary>The whole process's private memory, in MiB, that so many instances add by having run and being kept.</summary>
    private static double MeasureLive(GuestImage image, GuestSnapshot snapshot, GuestHandles handles)
    {
        var live = new List<QuickJs>(LiveInstances);
        snapshot.Trim();
        snapshot.Trim();
        var before = PrivateKilobytes();
        try
        {
            while (live.Count < LiveInstances)
            {
                var guest = New(image, snapshot, handles);
                live.Add(guest);
                Handle(guest);
            }
            return (PrivateKilobytes() - before) / 1024.0;
        }
        finally
        {
            live.ForEach(static guest => guest.Dispose());
        }
    }

    private static long PrivateKilobytes() =>
        File.ReadLines("/proc/self/smaps_rollup")
            .Where(line => line.StartsWith("Private_", StringComparison.Ordinal))
            .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture));

    private static IEnumerable<Measurement> MeasureWorkloads(GuestImage image, Repository repository)
    {
        using var guest = Preparation.Initialize(image, MemoryLimit);
        Evaluate(guest, File.ReadAllText(Workloads));
        using var peer = repository.EnginePackage is { } package
            ? PeerEngine.TryStart("--experimental-wasm-extended-const", Repository.Beside("Engine/peer.mjs"), package, Workloads)
            : null;
        List<Func<string, Round>> contestants = [workload => EngineComparison.Measure(() => Evaluate(guest, $"workloads.{workload}()"))];
        if (peer is not null)
            contestants.Add(peer.Run);
        var names = JsonSerializer.Deserialize<string[]>(Evaluate(guest, "JSON.stringify(Object.keys(workloads))"))!;
        var times = names.ToDictionary(name => name, name => EngineComparison.Run(name, Rounds, contestants));
        foreach (var (name, best) in times)
            yield return new($"JavaScript: {name}", "ms", best[0], Peer(best[^1]));
        yield return new("JavaScript: geometric mean", "ms", Mean(0), Peer(Mean(^1)), Goal.RatioAtMost(1.05));

        double Mean(Index contestant) => EngineComparison.Mean(times.Values.Select(best => best[contestant]));
        Peer? Peer(double time) => peer is null ? null : new Peer("V8", time);
    }
}
