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
                var options = CompilationOptions.Default with { GuardPages = CompilationOptions.GuardPagesAreAvailable };
                CompiledImage[] images =
                [
                    await CompileAsync(module, path + ".plain.dll", options, cancellationToken),
                    await CompileAsync(module, path + ".fuel.dll", options with { CountFuel = true }, cancellationToken),
                    await CompileAsync(module, path + ".comparing.dll", CompilationOptions.Default, cancellationToken),
                ];
                using var peer = PeerEngine.TryStart(Repository.Beside("Engine/Kernels/peer.mjs"), module, JsonSerializer.Serialize(Sizes));
                measurements.AddRange(Compare(language, Run(images, peer), peer is not null));
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

    private static async Task<CompiledImage> CompileAsync(string module, string image, CompilationOptions options, CancellationToken cancellationToken)
    {
        await new AheadOfTimeCompiler(Crossgen).CompileAsync([("main", await File.ReadAllBytesAsync(module, cancellationToken))], image, options, cancellationToken);
        return CompiledImage.Load(image);
    }

    /// <summary>The best times of each kernel: of the images, then of the peer.</summary>
    private static Dictionary<string, double[]> Run(CompiledImage[] images, PeerEngine? peer)
    {
        var results = new Dictionary<string, double[]>();
        Exception? failure = null;
        // Guest code needs the stack of a sandbox thread.
        var thread = new Thread(
            () =>
            {
                var instances = images.Select(image => image.Start(HostFunctions.None, MemoryLimitPages, static created => created.Fuel = long.MaxValue)).ToArray();
                try
                {
                    Func<string, Round>[] contestants = [.. images.Zip(instances, Contestant), .. peer is null ? (Func<string, Round>[])[] : [peer.Run]];
                    foreach (var name in Sizes.Keys)
                        results.Add(name, Contest.Run(name, Rounds, contestants));
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
                finally
                {
                    Array.ForEach(instances, instance => instance.Dispose());
                }
            },
            WasmInstance.RunStackBytes);
        thread.Start();
        thread.Join();
        return failure is null ? results : throw new InvalidOperationException("A kernel failed.", failure);
    }

    private static unsafe Func<string, Round> Contestant(CompiledImage image, WasmInstance instance) => name =>
    {
        var kernel = (delegate*<int, nint, int>)image.Function(name);
        return Contest.Measure(() => $"{kernel(Sizes[name], instance.Context)}");
    };

    private static IEnumerable<Measurement> Compare(string language, Dictionary<string, double[]> times, bool hasPeer)
    {
        foreach (var (name, best) in times)
            yield return new($"kernel in {language}: {name}", "ms", best[0], V8(best[^1]));
        yield return new($"kernels in {language}: geometric mean", "ms", Mean(0), V8(Mean(^1)), Goal.RatioAtMost(1.1));
        yield return new($"kernels in {language}, addresses compared by code: geometric mean", "ms", Mean(2), V8(Mean(^1)));
        yield return new($"kernels in {language} that count fuel: geometric mean", "ms", Mean(1), new Peer("without", Mean(0)));

        double Mean(Index contestant) => Contest.Mean(times.Values.Select(best => best[contestant]));
        Peer? V8(double time) => hasPeer ? new Peer("V8", time) : null;
    }
}
