using System.Runtime;
using System.Runtime.CompilerServices;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>
/// crossgen2 compiles for a processor of its choice, other than the one the just-in-time compiler sees: the scripts of vectors, numbers and memory must hold for
/// its code too, and the runtime must use that code instead of compiling again.
/// </summary>
public sealed class AheadOfTimeTests
{
    private static readonly string[] Prefixes = ["simd_", "f32", "f64", "i32", "i64", "conversions", "float_", "int_", "select", "call", "global", "memory", "address", "align", "endianness"];

    [Fact]
    public async Task Every_assertion_about_numbers_vectors_and_memory_holds_for_code_compiled_ahead_of_time()
    {
        Assert.SkipWhen(SpecificationSuite.WhyNot() is not null, SpecificationSuite.WhyNot() ?? "");
        var guardPages = CompilationOptions.GuardPagesAreAvailable;
        var scripts = SpecificationSuite.List("").Where(script => Prefixes.Any(prefix => script.StartsWith(prefix, StringComparison.Ordinal)))
            .Concat(SpecificationSuite.List("proposals/tail-call")).Select(SpecificationSuite.Convert).ToArray();
        var folder = Directory.CreateTempSubdirectory("pgfn-ahead-");
        try
        {
            var compiled = await AheadOfTimeScripts.CompileAsync(scripts, folder.FullName, new CompilationOptions { GuardPages = guardPages });
            AssertNothingIsCompiledAgain(compiled);
            foreach (var script in scripts)
            {
                using var runner = new ScriptRunner(script, new ScriptStore(guardPages, compiled.Compile));
                GuestThread.Run(runner.Run);
                Assert.True(runner.Failures.Count == 0, $"{script}: {runner.Failures.Count} failures\n{string.Join('\n', runner.Failures.Take(30))}");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_module_that_takes_too_long_is_refused_with_the_limit()
    {
        // A compiler that comes to no end: the real one may be done before a busy machine sees that its time is up.
        var compiler = new AheadOfTimeCompiler(Path.Combine(AppContext.BaseDirectory, "endless-compiler.sh")) { TimeLimit = TimeSpan.FromMilliseconds(100) };
        byte[] empty = [0x00, 0x61, 0x73, 0x6D, 1, 0, 0, 0];
        var path = Path.Combine(Path.GetTempPath(), Guid.NewGuid() + ".dll");
        var error = await Assert.ThrowsAsync<WasmFormatException>(() => compiler.CompileAsync([("main", empty)], path));
        Assert.Contains("takes longer to compile than 0.1 s", error.Reason, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    /// <summary>crossgen2 leaves out what it cannot express; the runtime drops code for processors other than its own. Neither may happen.</summary>
    private static void AssertNothingIsCompiledAgain(AheadOfTimeScripts compiled)
    {
        // The first call compiles what it needs itself.
        RuntimeHelpers.PrepareMethod(compiled.Functions.First().MethodHandle);
        var left = new List<string>();
        foreach (var function in compiled.Functions)
        {
            var before = JitInfo.GetCompiledMethodCount(currentThread: true);
            RuntimeHelpers.PrepareMethod(function.MethodHandle);
            if (JitInfo.GetCompiledMethodCount(currentThread: true) != before)
                left.Add($"{function.DeclaringType!.Name}.{function.Name}");
        }

        Assert.Empty(left);
    }
}
