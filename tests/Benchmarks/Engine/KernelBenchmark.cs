using System.ComponentModel;
using System.Text.Json;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>
/// Kernels in C and in AssemblyScript, compiled as a deployed module is, with everything that interrupts it, beside V8 running the same
/// modules; and what
/// counting fuel costs them.
/// </summary>
internal sealed class KernelBenchmark : IBenchmark
{
    private const int Rounds = 25;
    private const long MemoryLimit = 64 << 20;

    private static readonly Dictionary<string, int> Sizes = new()
    {
        ["matmul"] = 200,
        ["sieve"] = 4_000_000,
        ["sha256"] = 20_000,
        ["quicksort"] = 300_000,
        ["tree"] = 100_000,
        ["mandelbrot"] = 300,
        ["strings"] = 200_000,
        ["maps"] = 1_000_000,
        ["vectors"] = 200,
    };

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
                var source = await File.ReadAllBytesAsync(module, cancellationToken);
                using var peer = PeerEngine.TryStart(Repository.Beside("Engine/Kernels/peer.mjs"), module, JsonSerializer.Serialize(Sizes));
                measurements.AddRange(Compare(language, Run(source, peer), peer is not null));
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
            (
                "C",
                "clang",
                ["--target=wasm32", "-O2", "-msimd128", "-nostdlib", "-Wl,--no-entry", Repository.Beside("Engine/Kernels/kernels.c")]
            ),
            (
                "AssemblyScript",
                "node",
                [
                    Path.Combine(repository.Peers, "node_modules/assemblyscript/bin/asc.js"),
                    Repository.Beside("Engine/Kernels/kernels.ts"),
                    "-O3",
                    "--enable",
                    "simd",
                    "--runtime",
                    "incremental",
                    "--use",
                    "abort=",
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

    /// <summary>The best times of each kernel: as modules run, with fuel counted, then of the peer.</summary>
    private static Dictionary<string, double[]> Run(byte[] source, PeerEngine? peer)
    {
        var results = new Dictionary<string, double[]>();
        Exception? failure = null;
        // Guest code needs the stack of a sandbox thread.
        var thread = new Thread(
            () =>
            {
                try
                {
                    using var plain = Start(source, countFuel: false);
                    using var counting = Start(source, countFuel: true);
                    counting.Fuel = long.MaxValue;
                    Func<string, Round>[] contestants =
                    [
                        Contestant(plain),
                        Contestant(counting),
                        .. peer is null ? (Func<string, Round>[])[] : [peer.Run],
                    ];
                    foreach (var name in Sizes.Keys)
                        results.Add(name, EngineComparison.Run(name, Rounds, contestants));
                }
                catch (Exception exception)
                {
                    failure = exception;
                }
            },
            SandboxThread.StackBytes
        );
        thread.Start();
        thread.Join();
        return failure is null ? results : throw new InvalidOperationException("A kernel failed.", failure);
    }

    private static Instance Start(byte[] source, bool countFuel)
    {
        var functions = new HostFunctionTable();
        var parsed = ParsedModule.Read(source);
        var plan = ModulePlan.Of(parsed, new ModuleForm("", IsCommand: false));
        var compiled = new CompilationResult(plan, parsed.Data, Engines.Of(countFuel).Compile(new ModuleRewriter(source, parsed).Write()));
        var state = ModuleState.Initial(compiled, MemoryLimit, startsEachTime: true);
        var instance = state.Instantiate(Module.Load(Engines.Of(countFuel), compiled.Code, functions), plan, MemoryLimit);
        if (countFuel)
            instance.Fuel = long.MaxValue;
        ModuleCall.Start(instance, plan);
        return instance;
    }

    private static Func<string, Round> Contestant(Instance instance) =>
        name =>
        {
            var kernel = instance.Function(name);
            var values = new RawValue[1];
            return EngineComparison.Measure(() =>
            {
                values[0].I64 = Sizes[name];
                instance.Call(kernel, values);
                return $"{values[0].I32}";
            });
        };

    private static IEnumerable<Measurement> Compare(string language, Dictionary<string, double[]> times, bool hasPeer)
    {
        foreach (var (name, best) in times)
            yield return new($"kernel in {language}: {name}", "ms", best[0], V8(best[^1]));
        yield return new(
            $"kernels in {language}: geometric mean",
            "ms",
            Mean(0),
            V8(Mean(^1)),
            Goal.RatioAtMost(language == "C" ? 1.4 : 1.15)
        );
        yield return new($"kernels in {language} that count fuel: geometric mean", "ms", Mean(1), new Peer("without", Mean(0)));

        double Mean(Index contestant) => EngineComparison.Mean(times.Values.Select(best => best[contestant]));
        Peer? V8(double time) => hasPeer ? new Peer("V8", time) : null;
    }
}
