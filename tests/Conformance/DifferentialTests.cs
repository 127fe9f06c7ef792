using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>
/// Valid modules made from random bytes (binaryen's <c>wasm-opt --translate-to-fuzz</c>) must do in this compiler what they do in V8: the same calls of
/// the host with the same values, the same traps, the same memory.
/// </summary>
public sealed class DifferentialTests
{
    private const int Modules = 60;

    private static readonly string[] Features =
    [
        "--mvp-features", "--enable-sign-ext", "--enable-nontrapping-float-to-int", "--enable-bulk-memory", "--enable-multivalue",
        "--enable-mutable-globals",
    ];

    [ThreadStatic]
    private static List<string>? events;

    private sealed record Expectation(string[] Functions, string[] Events);

    [Fact]
    public void Random_modules_do_what_they_do_in_V8()
    {
        Assert.SkipWhen(!IsInstalled("wasm-opt") || !IsInstalled("node"), "wasm-opt (package binaryen) or node is not installed");
        var folder = Directory.CreateTempSubdirectory("pgfn-differential-");
        try
        {
            var files = Enumerable.Range(1, Modules).Select(seed => Generate(folder.FullName, seed)).ToArray();
            var script = Path.Combine(AppContext.BaseDirectory, "differential.mjs");
            var expectations = JsonSerializer.Deserialize<Expectation?[]>(Run("node", [script, .. files]), JsonSerializerOptions.Web)!;
            var host = HostFunctions.From(typeof(DifferentialTests));
            for (var index = 0; index < files.Length; index++)
            {
                if (expectations[index] is { } expected)
                    GuestThread.Run(() => Assert.Equal(expected.Events, Execute(files[index], expected.Functions, host)));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Generate(string folder, int seed)
    {
        var random = new Random(seed);
        var bytes = new byte[random.Next(2_000, 40_000)];
        random.NextBytes(bytes);
        var input = Path.Combine(folder, $"{seed}.bytes");
        File.WriteAllBytes(input, bytes);
        var output = Path.Combine(folder, $"{seed}.wasm");
        // --denan: the bits of a NaN are the one thing in which engines may differ.
        string[] optimize = seed % 3 == 0 ? ["-O3"] : [];
        Run("wasm-opt", ["--translate-to-fuzz", input, "-o", output, "--denan", .. optimize, .. Features]);
        return output;
    }

    private static unsafe List<string> Execute(string file, string[] functions, HostFunctions host)
    {
        events = [];
        var image = CompiledImage.Compile(("main", File.ReadAllBytes(file)));
        using var instance = image.Start(host, memoryLimitPages: 65_536);
        var definition = image.Modules[0].Definition;
        var cells = stackalloc ulong[2];
        foreach (var name in functions)
        {
            if (definition.Exports.ContainsKey("hangLimitInitializer"))
                ((delegate*<nint, void>)image.Function("hangLimitInitializer"))(instance.Context);
            var function = WasmInstance.Resolve(instance.Placement.Modules[0], definition.Exports[name].Index);
            try
            {
                FunctionThunk.For(function.Type)(function.Code, instance.Context, (nint)cells, (nint)cells);
                events.Add($"{name} returned");
            }
            catch (WasmTrapException)
            {
                events.Add($"{name} trapped");
            }
        }

        var sum = 0;
        for (var address = 0L; address < instance.MemoryLength; address++)
            sum = unchecked(sum * 31 + instance.MemoryBase[address]);
        events.Add($"memory {sum}");
        return events;
    }

    [HostFunction("fuzzing-support", "log-i32")]
    private static void LogI32(int value, nint context) => events!.Add($"i32 {value:x}");

    [HostFunction("fuzzing-support", "log-i64")]
    private static void LogI64(long value, nint context) => events!.Add($"i64 {value:x}");

    [HostFunction("fuzzing-support", "log-f32")]
    private static void LogF32(float value, nint context) =>
        events!.Add(float.IsNaN(value) ? "f32 nan" : $"f32 {BitConverter.SingleToUInt32Bits(value):x}");

    [HostFunction("fuzzing-support", "log-f64")]
    private static void LogF64(double value, nint context) =>
        events!.Add(double.IsNaN(value) ? "f64 nan" : string.Create(CultureInfo.InvariantCulture, $"f64 {BitConverter.DoubleToUInt64Bits(value):x}"));

    private static bool IsInstalled(string tool) =>
        Environment.GetEnvironmentVariable("PATH")?.Split(':').Any(folder => File.Exists(Path.Combine(folder, tool))) ?? false;

    private static string Run(string tool, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{tool}: {errors.Result}");
    }
}
