using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Tests.Unit.Modules.Fuzzing;

/// <summary>Runs modules in V8 and in the sandbox, and compares their host calls, values, traps and memory.</summary>
internal static class Differential
{
    private static readonly HostFunctionTable Host = new(typeof(Differential));

    [ThreadStatic]
    private static List<string>? events;

    private sealed record Expectation(string[] Functions, string[] Events);

    /// <summary>The differences by file; empty when there are none.</summary>
    public static Dictionary<string, string> Compare(string[] files)
    {
        var script = Path.Combine(AppContext.BaseDirectory, "Fuzzing", "differential.mjs");
        var output = RandomModules.Run("node", ["--experimental-wasm-return-call", script, .. files]);
        var expectations = JsonSerializer.Deserialize<Expectation?[]>(output, JsonSerializerOptions.Web)!;
        var differences = new Dictionary<string, string>();
        for (var index = 0; index < files.Length; index++)
        {
            // Modules that exhaust the stack of V8 are skipped: the depth is not comparable.
            if (expectations[index] is { } expected && Difference(files[index], expected) is { } difference)
                differences.Add(files[index], difference);
        }

        return differences;
    }

    private static string? Difference(string file, Expectation expected)
    {
        try
        {
            List<string> actual = [];
            GuestThread.Run(() => actual = Execute(file, expected.Functions));
            var at = actual.Zip(expected.Events).TakeWhile(pair => AreSame(pair.First, pair.Second)).Count();
            return at == actual.Count && at == expected.Events.Length
                ? null
                : $"event {at}: V8 {expected.Events.ElementAtOrDefault(at)}, here {actual.ElementAtOrDefault(at)}";
        }
        catch (Exception exception) when (exception is not WasmTrapException)
        {
            return exception.ToString();
        }
    }

    /// <summary>
    /// Whether two events are the same. Engines may differ only in the bits of a NaN, and wasm-opt does not normalize those within vectors:
    /// two lanes that a module reads as one value of 64 bits may both differ in them.
    /// </summary>
    private static bool AreSame(string ours, string theirs) =>
        ours == theirs
        || (
            ours[..3] == theirs[..3]
            && Halves(ours) is { } here
            && Halves(theirs) is { } there
            && here.Zip(there).All(pair => pair.First == pair.Second || (IsNaN(pair.First) && IsNaN(pair.Second)))
        );

    private static bool IsNaN(uint bits) => float.IsNaN(BitConverter.UInt32BitsToSingle(bits));

    private static uint[]? Halves(string logged) =>
        logged[..3] is "f64" or "i64"
        && ulong.TryParse(logged.AsSpan(4), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var bits)
            ? [(uint)(bits >> 32), (uint)bits]
            : null;

    private static List<string> Execute(string file, string[] functions)
    {
        const long MemoryLimit = 4L << 30;
        events = [];
        var source = File.ReadAllBytes(file);
        var engine = Engines.Of(countFuel: false);
        engine.Validate(source);
        var parsed = ParsedModule.Read(source);
        var plan = ModulePlan.Of(parsed, new ModuleForm("", IsCommand: true));
        var compiled = new CompilationResult(plan, parsed.Data, engine.Compile(new ModuleRewriter(source, parsed).Write()));
        using var module = Module.Load(engine, compiled.Code, Host);
        using var state = ModuleState.Initial(compiled, MemoryLimit, startsEachTime: true);
        using var instance = state.Instantiate(module, plan, MemoryLimit);
        var values = new RawValue[16];
        foreach (var name in functions)
        {
            try
            {
                if (parsed.Exports.ContainsKey("hangLimitInitializer"))
                    instance.Call(instance.Function("hangLimitInitializer"), values);
                instance.Call(instance.Function(name), values);
                events.Add($"{name} returned");
            }
            catch (WasmTrapException)
            {
                events.Add($"{name} trapped");
            }
        }

        var sum = 0;
        if (plan.MainMemory >= 0)
        {
            for (var address = 0; address < instance.MemoryLength; address++)
                sum = unchecked(sum * 31 + instance.Slice(address, 1)[0]);
        }
        events.Add($"memory {sum}");
        return events;
    }

    [HostFunction("fuzzing-support", "log-i32")]
    private static void LogI32(int value, Instance instance) => events!.Add($"i32 {value:x}");

    [HostFunction("fuzzing-support", "log-i64")]
    private static void LogI64(long value, Instance instance) => events!.Add($"i64 {value:x}");

    [HostFunction("fuzzing-support", "log-f32")]
    private static void LogF32(float value, Instance instance) =>
        events!.Add(float.IsNaN(value) ? "f32 nan" : $"f32 {BitConverter.SingleToUInt32Bits(value):x}");

    [HostFunction("fuzzing-support", "log-f64")]
    private static void LogF64(double value, Instance instance) =>
        events!.Add(
            double.IsNaN(value) ? "f64 nan" : string.Create(CultureInfo.InvariantCulture, $"f64 {BitConverter.DoubleToUInt64Bits(value):x}")
        );
}
