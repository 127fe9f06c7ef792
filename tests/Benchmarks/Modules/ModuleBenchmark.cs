using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Functions.PgSidecar.Benchmarks.Processes;
using Functions.PgSidecar.Benchmarks.Report;
using Npgsql;

namespace Functions.PgSidecar.Benchmarks.Modules;

/// <summary>How soon a large WebAssembly module that was deployed can be called, and how long another sidecar takes to load it.</summary>
internal sealed class ModuleBenchmark : IBenchmark
{
    private const int Functions = 210;
    private const int Deployments = 5;

    private static readonly string[] Compiling =
    [
        "--target=wasm32",
        "-O1",
        "-nostdlib",
        "-Wl,--no-entry",
        "-Wl,--export=handler",
        "-Wl,--export=alloc",
        "-o",
    ];

    public string Name => "module";

    public async Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("pgfn-module-");
        try
        {
            var (ready, loads) = (new List<double>(), new List<double>());
            await using var first = await run.Installation.ServeAsync(cancellationToken);
            await using var second = await run.Installation.ServeAsync(cancellationToken);
            using var client = new HttpClient();
            var bytes = 0L;
            for (var deployment = 0; deployment < Deployments; deployment++)
            {
                // Each is another module: neither sidecar has seen it.
                if (await TryBuildAsync(folder.FullName, deployment, cancellationToken) is not { } module)
                    return [];
                bytes = module.Length;
                ready.Add(await DeployAsync(run, module, cancellationToken));
                if (await LoadAsync(client, [first.Url, second.Url], run, cancellationToken) is { } load)
                    loads.Add(load);
            }
            var size = $"a module of {bytes / 1000} KB";
            return
            [
                new($"{size}: from its deployment until it is ready, median", "s", Samples.MedianOf(ready), Goal: Goal.AtMost(0.5)),
                new($"{size}: loaded by another sidecar, median", "ms", Samples.MedianOf(loads), Goal: Goal.AtMost(10)),
                new($"{size}: loaded by another sidecar, the first of its process", "ms", loads[0]),
            ];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Has both sidecars answer; milliseconds that the one took which had to load the module for it.</summary>
    private static async Task<double?> LoadAsync(HttpClient client, Uri[] sidecars, BenchmarkRun run, CancellationToken cancellationToken)
    {
        double? load = null;
        foreach (var sidecar in sidecars)
        {
            var before = await LoadsAsync(client, sidecar, cancellationToken);
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(sidecar, "/functions/v1/invoke/large"));
            request.Headers.Authorization = new("Bearer", await run.Installation.TokenAsync(BenchmarkRun.User, cancellationToken));
            using var response = await client.SendAsync(request, cancellationToken);
            response.EnsureSuccessStatusCode();
            var after = await LoadsAsync(client, sidecar, cancellationToken);
            if (after.Count > before.Count)
                load = (after.Seconds - before.Seconds) * 1000;
        }
        return load;
    }

    private static async Task<(double Count, double Seconds)> LoadsAsync(
        HttpClient client,
        Uri sidecar,
        CancellationToken cancellationToken
    )
    {
        var lines = (await client.GetStringAsync(new Uri(sidecar, "/metrics"), cancellationToken)).Split('\n');
        return (Value("functions_program_loads_total "), Value("functions_program_load_seconds_total "));

        double Value(string name) =>
            double.Parse(
                lines.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..],
                CultureInfo.InvariantCulture
            );
    }

    /// <summary>Seconds from the statement until the version is ready.</summary>
    private static async Task<double> DeployAsync(BenchmarkRun run, byte[] module, CancellationToken cancellationToken)
    {
        var began = Stopwatch.GetTimestamp();
        await using (var deploy = run.Installation.Owner.CreateCommand("select functions.deploy_wasm('large', $1)"))
        {
            deploy.Parameters.Add(new NpgsqlParameter { Value = module });
            await deploy.ExecuteNonQueryAsync(cancellationToken);
        }
        await using (var wait = run.Installation.Owner.CreateCommand("call functions.wait_ready('large')"))
            await wait.ExecuteNonQueryAsync(cancellationToken);
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>A reactor of many functions, each called once by an invocation.</summary>
    /// <returns>Null where clang is not installed.</returns>
    private static async Task<byte[]?> TryBuildAsync(string folder, int seed, CancellationToken cancellationToken)
    {
        var source = Path.Combine(folder, $"large{seed}.c");
        await File.WriteAllTextAsync(source, Source(seed), cancellationToken);
        var module = Path.ChangeExtension(source, ".wasm");
        try
        {
            await Command.RunAsync("clang", [.. Compiling, module, source], null, cancellationToken);
            return await File.ReadAllBytesAsync(module, cancellationToken);
        }
        catch (Win32Exception exception)
        {
            await Console.Error.WriteLineAsync($"modules are left out: {exception.Message}");
            return null;
        }
    }

    private static string Source(int seed)
    {
        var random = new Random(seed);
        var source = new System.Text.StringBuilder(
            "static unsigned cells[4096]; static char answer[] = \"{}\"; static char room[65536];\n"
        );
        for (var function = 0; function < Functions; function++)
        {
            source.Append(CultureInfo.InvariantCulture, $"__attribute__((noinline)) unsigned f{function}(unsigned x) {{\n");
            for (var statement = 0; statement < 44; statement++)
            {
                source.Append(
                    CultureInfo.InvariantCulture,
                    $"  if (x & {1 << random.Next(31)}) cells[(x + {random.Next(4096)}) & 4095] += x * {random.Next()}u; "
                );
                source.Append(CultureInfo.InvariantCulture, $"x = (x ^ cells[{random.Next(4096)}]) + {random.Next()}u;\n");
            }
            source.Append("  return x;\n}\n");
        }
        source.Append(
            "void *alloc(unsigned length) { return length > sizeof room ? 0 : room; }\nunsigned long long handler(unsigned address, unsigned length) {\n  unsigned x = length;\n"
        );
        for (var function = 0; function < Functions; function++)
            source.Append(CultureInfo.InvariantCulture, $"  x = f{function}(x);\n");
        return source.Append("  cells[0] = x;\n  return (unsigned long long)(unsigned)answer << 32 | 2;\n}\n").ToString();
    }
}
