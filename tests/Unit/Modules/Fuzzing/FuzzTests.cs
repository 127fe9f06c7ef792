using System.Diagnostics;
using System.Globalization;

namespace Functions.PgSidecar.Tests.Unit.Modules.Fuzzing;

/// <summary>
/// <c>make fuzz SECONDS=n</c> compares random modules with V8 for n seconds. Failing modules are kept, with their seeds, in artifacts/fuzz;
/// <c>make fuzz SEED=n</c> repeats one seed.
/// </summary>
public sealed class FuzzTests(ITestOutputHelper output)
{
    private const int Batch = 20;

    [Fact(Explicit = true)]
    public void Modules_behave_as_in_V8()
    {
        var seconds = Setting("PGFN_FUZZ_SECONDS");
        var only = Setting("PGFN_FUZZ_SEED");
        Assert.SkipWhen(RandomModules.WhyNot is not null, RandomModules.WhyNot ?? "");
        var folder = Directory
            .CreateDirectory(Environment.GetEnvironmentVariable("PGFN_FUZZ_FOLDER") ?? Path.Combine(Path.GetTempPath(), "pgfn-fuzz"))
            .FullName;
        var first = only ?? Random.Shared.Next(1, int.MaxValue / 2);
        var clock = Stopwatch.StartNew();
        var failures = new List<string>();
        var seed = first;
        do
        {
            var count = only is null ? Batch : 1;
            failures.AddRange(TryBatch(folder, [.. Enumerable.Range(seed, count)]));
            seed += count;
        } while (only is null && clock.Elapsed.TotalSeconds < seconds);

        var line = $"{seed - first} modules from seed {first}: {failures.Count} failures";
        Console.WriteLine(line);
        output.WriteLine(line);
        Assert.Empty(failures);
    }

    private static IEnumerable<string> TryBatch(string folder, int[] seeds)
    {
        var files = seeds.ToDictionary(seed => RandomModules.Generate(folder, seed));
        var failures = Differential
            .Compare([.. files.Keys])
            .Select(difference => (Seed: files[difference.Key], Text: difference.Value))
            .ToList();
        foreach (var seed in seeds)
        {
            File.Delete(Path.Combine(folder, $"{seed}.bytes"));
            var texts = failures.Where(failure => failure.Seed == seed).Select(failure => failure.Text).ToArray();
            if (texts.Length == 0)
                File.Delete(Path.Combine(folder, $"{seed}.wasm"));
            else
                File.WriteAllLines(Path.Combine(folder, $"{seed}.txt"), texts);
        }

        return failures.Select(failure => $"seed {failure.Seed}: {failure.Text}");
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;
}
