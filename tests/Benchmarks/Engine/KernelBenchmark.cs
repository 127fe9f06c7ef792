using System.ComponentModel;
using System.Reflection;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>
/// Kernels in C and in AssemblyScript, compiled ahead of time as a deployed module is, with all checks on, beside V8 running the same modules; and what
/// counting fuel costs them.
/// </summary>
internal sealed class KernelBenchmark : IBenchmark
{
    private const int Rounds = 25;
    private const int MemoryLimitPages = 1024;

    private static readonly Dictionary<string, int> Sizes = new()
    {
        ["matmul"] = 200, ["sieve"] = 4_000_000, ["sha256"] = 20_000, ["quicksort"] = 300_000, ["tree"] = 100_000,
        ["mandelbrot"] = 300, ["strings"] = 200_000, ["maps"] = 1_000_000, ["vectors"] = 200,
    };

    private static string Crossgen => typeof(KernelBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "Crossgen2").Value!;

    public string Name => "kernels";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("pgfn-kernels-");
        try
        {
            var measurements = new List<Measurement>();
            foreach (var (language, compiler, arguments) in Compilers(run.Repository))
            {
                var path = Path.Combine(folder.FullName, language);
                var module = path + ".wasm";
                if (!await TryBuildAsync(compiler, [.. arguments, "-o", module], cancellationToken))
                    continue;
                var plain = await MeasureAsync(module, path + ".plain.dll", CompilationOptions.Default, cancellationToken);
                var counting = await MeasureAsync(module, path + ".fuel.dll", new() { CountFuel = true }, cancellationToken);
                measurements.AddRange(Compare(language, plain, counting, await RunPeerAsync(module, cancellationToken)));
            }
            return measurements;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static IEnumerable<(string Language, string Compiler, string[] Arguments)> Compilers(Repository repository) =>
    [
        ("C", "clang", ["--target=wasm32", "-O2", "-msimd128", "-nostdlib", "-Wl,--no-entry", Repository.Beside("Engine/Kernels/kernels.c")]),
        (
            "AssemblyScript", "node",
            [
                Path.Combine(repository.Peers, "node_modules/assemblyscript/bin/asc.js"), Repository.Beside("Engine/Kernels/kernels.ts"),
                "-O3", "--enable", "simd", "--runtime", "incremental", "--use", "abort=",
            ]
        ),
    ];

    /// <summary>Compiles the kernels.</summary>
    /// <returns>False where the compiler is not installed.</returns>
    private static async Task<bool> TryBuildAsync(string compiler, string[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            await Command.RunAsync(compiler, arguments, null, cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is Win32Exception or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync($"kernels are left out: {exception.Message}");
            return false;
        }
    }

    private static async Task<Dictionary<string, Result>> MeasureAsync(string module, string image, CompilationOptions options, CancellationToken cancellationToken)
    {
        await new AheadOfTimeCompiler(Crossgen).CompileAsync([("main", await File.ReadAllBytesAsync(module, cancellationToken))], image, options, cancellationToken);
        var results = new Dictionary<string, Result>();
        Exception? failure = null;
        // Guest code needs the stack of a sandbox thread.
        var thread = new Thread(
            () =>
            {
                try
                {
                    Run(CompiledImage.Load(image), results);
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
            },
            WasmInstance.RunStackBytes);
        thread.Start();
        thread.Join();
        return failure is null ? results : throw new InvalidOperationException("A kernel failed.", failure);
    }

    private static unsafe void Run(CompiledImage image, Dictionary<string, Result> results)
    {
        using var instance = image.Start(HostFunctions.None, MemoryLimitPages, static created => created.Fuel = long.MaxValue);
        foreach (var (name, size) in Sizes)
        {
            var kernel = (delegate*<int, nint, int>)image.Function(name);
            var best = double.MaxValue;
            var checksum = 0;
            for (var round = 0; round < Rounds; round++)
            {
                var before = Environment.CpuUsage.TotalTime;
                checksum = kernel(size, instance.Context);
                best = Math.Min(best, (Environment.CpuUsage.TotalTime - before).TotalMilliseconds);
            }

            results.Add(name, new Result(best, checksum));
        }
    }

    private static async Task<Dictionary<string, Result>?> RunPeerAsync(string module, CancellationToken cancellationToken)
    {
        string[] arguments = [Repository.Beside("Engine/Kernels/peer.mjs"), module, JsonSerializer.Serialize(Sizes), $"{Rounds}"];
        try
        {
            var output = await Command.RunAsync("node", arguments, null, cancellationToken);
            return JsonSerializer.Deserialize<Dictionary<string, double[]>>(output)!
                .ToDictionary(entry => entry.Key, entry => new Result(entry.Value[0], (int)entry.Value[1]));
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    private static IEnumerable<Measurement> Compare(
        string language, Dictionary<string, Result> plain, Dictionary<string, Result> counting, Dictionary<string, Result>? peer)
    {
        foreach (var (name, result) in plain)
        {
            if (counting[name].Checksum != result.Checksum || (peer is not null && peer[name].Checksum != result.Checksum))
                throw new InvalidOperationException($"The kernel {name} in {language} computed something else.");
            yield return new($"kernel in {language}: {name}", "ms", result.Milliseconds, peer is null ? null : new Peer("V8", peer[name].Milliseconds));
        }

        yield return new(
            $"kernels in {language}: geometric mean", "ms", Mean(plain), peer is null ? null : new Peer("V8", Mean(peer)), Goal.RatioAtMost(1.1));
        yield return new($"kernels in {language} that count fuel: geometric mean", "ms", Mean(counting), new Peer("without", Mean(plain)));

        static double Mean(Dictionary<string, Result> results) => Math.Exp(results.Values.Average(result => Math.Log(result.Milliseconds)));
    }

    /// <param name="Milliseconds">Processor time of the best round.</param>
    /// <param name="Checksum">What it returned.</param>
    private sealed record Result(double Milliseconds, int Checksum);
}
