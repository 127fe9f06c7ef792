using System.Diagnostics;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>How fast compiled WebAssembly runs, against V8 running the same module when Node.js is there; and what an instance costs.</summary>
internal static class EngineBenchmark
{
    private const int Rounds = 20;
    private const int InstanceRounds = 2000;
    private const int MemoryLimitPages = 2048;

    public static void Run()
    {
        var thread = new Thread(Measure, WasmInstance.RunStackBytes);
        thread.Start();
        thread.Join();
    }

    private static void Measure()
    {
        var clock = Stopwatch.StartNew();
        var guest = new QuickJsGuest(CompiledImage.Load(Path.Combine(AppContext.BaseDirectory, "guest", "quickjs.dll")));
        Console.WriteLine($"load the image          {clock.Elapsed.TotalMilliseconds,8:F1} ms");
        clock.Restart();
        using var instance = guest.Start(MemoryLimitPages);
        Console.WriteLine($"start a fresh engine    {clock.Elapsed.TotalMilliseconds,8:F1} ms");
        MeasureInstances(guest, instance);
        MeasureWorkloads(guest, instance);
    }

    private static void MeasureInstances(QuickJsGuest guest, WasmInstance instance)
    {
        using var snapshot = instance.Snapshot();
        Console.WriteLine($"snapshot                {snapshot.ByteLength >> 10,8} KiB");
        var create = new Samples("create from snapshot");
        var evaluate = new Samples("  first evaluation");
        var dispose = new Samples("  dispose");
        for (var round = 0; round < InstanceRounds; round++)
        {
            WasmInstance? made = null;
            create.Time(() => made = guest.Image.Instantiate(snapshot, MemoryLimitPages));
            made!.ArmStack();
            evaluate.Time(() => guest.Evaluate(made, "let answer = 40; answer + 2"));
            dispose.Time(made.Dispose);
        }

        var again = new Samples("evaluation when pooled");
        var reset = new Samples("  reset");
        using var pooled = guest.Image.Instantiate(snapshot, MemoryLimitPages);
        for (var round = 0; round < InstanceRounds; round++)
        {
            pooled.ArmStack();
            again.Time(() => guest.Evaluate(pooled, "let answer = 40; answer + 2"));
            reset.Time(() => pooled.Reset(snapshot));
        }

        foreach (var samples in (Samples[])[create, evaluate, dispose, again, reset])
            Console.WriteLine($"{samples.Name,-24}{samples.Median,8:F1} us median, {samples.Percentile99,8:F1} us p99");
    }

    private static void MeasureWorkloads(QuickJsGuest guest, WasmInstance instance)
    {
        instance.ArmStack();
        guest.Evaluate(instance, File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Engine", "workloads.js")));
        var names = JsonSerializer.Deserialize<string[]>(guest.Evaluate(instance, "JSON.stringify(Object.keys(workloads))"))!;
        var peer = RunPeer();
        var product = 1.0;
        foreach (var name in names)
        {
            var times = new double[Rounds];
            for (var round = 0; round < Rounds; round++)
            {
                var start = Environment.CpuUsage.TotalTime;
                guest.Evaluate(instance, $"workloads.{name}()");
                times[round] = (Environment.CpuUsage.TotalTime - start).TotalMilliseconds;
            }

            // The best round, in processor time: by then both engines have compiled what they will compile, whatever else the machine does.
            var ours = times.Min();
            var comparison = peer is null ? "" : $"   V8 {peer[name],8:F1} ms   ratio {ours / peer[name]:F2}";
            product *= peer is null ? 1 : ours / peer[name];
            Console.WriteLine($"{name,-24}{ours,8:F1} ms{comparison}");
        }

        Console.WriteLine(peer is null
            ? "Node.js or the npm package quickjs-wasi is not there: nothing to compare with."
            : $"geometric mean of the ratios to V8: {Math.Pow(product, 1.0 / names.Length):F2} (lower is better)");
    }

    private static Dictionary<string, double>? RunPeer()
    {
        var folder = FindEnginePackage();
        if (folder is null)
            return null;
        var here = Path.Combine(AppContext.BaseDirectory, "Engine");
        string[] arguments = ["--experimental-wasm-extended-const", Path.Combine(here, "peer.mjs"), folder, Path.Combine(here, "workloads.js"), $"{Rounds}"];
        try
        {
            using var process = Process.Start(new ProcessStartInfo("node", arguments) { RedirectStandardOutput = true })!;
            return JsonSerializer.Deserialize<Dictionary<string, double>>(process.StandardOutput.ReadToEnd());
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static string? FindEnginePackage()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var package = Path.Combine(folder.FullName, "src/Functions.PgSidecar.Sandbox/Guest/node_modules/quickjs-wasi");
            if (Directory.Exists(package))
                return package;
        }

        return null;
    }

    /// <summary>Times of one thing, done many times; in microseconds.</summary>
    private sealed class Samples(string name)
    {
        private readonly List<double> times = new(InstanceRounds);

        public string Name { get; } = name;

        public double Median => Quantile(0.5);

        public double Percentile99 => Quantile(0.99);

        public void Time(Action action)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        private double Quantile(double share) => times.Order().ElementAt((int)(times.Count * share));
    }
}
