using System.Reflection;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Modules that are small to send and dear to compile: each compiles, without optimisation where that is what is dear, or is refused with the reason.</summary>
public sealed unsafe class CompileBombTests
{
    private const byte Loop = 0x03, BranchIf = 0x0D, End = 0x0B, Nothing = 0x40;

    [Fact]
    public void Loops_inside_loops_to_the_limit_compile_without_optimisation()
    {
        const int Depth = WasmLimits.Nesting - 1;
        AssertCounts(Depth, isOptimized: false, [.. Repeat(Depth, [Loop, Nothing, .. Increment]), .. Repeat(Depth, End)]);
    }

    [Fact]
    public void A_thousand_loops_in_a_row_compile_without_optimisation() =>
        AssertCounts(1000, isOptimized: false, [.. Repeat(1000, [Loop, Nothing, .. Increment, .. Constant(0), BranchIf, 0, End])]);

    [Fact]
    public void Many_branches_compile_without_optimisation() =>
        AssertCounts(30_000, isOptimized: false, [.. Repeat(30_000, [0x20, 0, 0x45, 0x45, 0x04, Nothing, 0x05, End, .. Increment])]);

    [Fact]
    public void A_hundred_loops_are_optimised() =>
        AssertCounts(100, isOptimized: true, [.. Repeat(100, [Loop, Nothing, .. Increment, .. Constant(0), BranchIf, 0, End])]);

    [Fact]
    public void A_hundred_thousand_functions_compile()
    {
        var module = new ModuleAssembler().Table(WasmLimits.Functions);
        var type = module.Type([], [I32]);
        for (var function = 0; function < WasmLimits.Functions - 1; function++)
            module.Function(type, 0, [.. Constant(function), End]);
        module.Export("run", type, 0, [.. Constant(WasmLimits.Functions - 2), 0x11, .. Unsigned(type), 0, End]);
        module.Elements(0, [.. Enumerable.Range(0, WasmLimits.Functions)]);
        Assert.Equal(WasmLimits.Functions - 2, Run(module, out _));
    }

    [Fact]
    public void One_more_function_is_refused()
    {
        var module = new ModuleAssembler();
        var type = module.Type([], []);
        for (var function = 0; function <= WasmLimits.Functions; function++)
            module.Function(type, 0, End);
        AssertRefused("too many functions", module);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(WasmLimits.BranchTableTargets + 1)]
    public void A_branch_table_of_a_hundred_thousand_is_refused(int targets)
    {
        var module = new ModuleAssembler();
        module.Function(module.Type([], []), 0, [.. Constant(0), 0x0E, .. Unsigned(targets), .. Repeat(targets + 1, 0), End]);
        AssertRefused("too many branch table targets", module);
    }

    [Fact]
    public void A_branch_table_to_the_limit_compiles()
    {
        const int Targets = WasmLimits.BranchTableTargets;
        var module = new ModuleAssembler();
        byte[] table = [.. Constant(Targets - 1), 0x0E, .. Unsigned(Targets), .. Repeat(Targets - 1, 0), 1, 0];
        module.Export("run", module.Type([], [I32]), 0, [0x02, Nothing, 0x02, Nothing, .. table, End, .. Constant(1), 0x0F, End, .. Constant(2), End]);
        Assert.Equal(2, Run(module, out _));
    }

    [Fact]
    public void Fifty_thousand_locals_are_refused()
    {
        var module = new ModuleAssembler();
        module.Function(module.Type([], []), 50_000, End);
        AssertRefused("too many locals", module);
    }

    [Fact]
    public void A_million_types_are_refused()
    {
        var module = new ModuleAssembler();
        for (var type = 0; type < 1_000_000; type++)
            module.Type([], []);
        AssertRefused("too many types", module);
    }

    [Fact]
    public void A_segment_of_a_million_elements_is_refused()
    {
        var module = new ModuleAssembler().Table(1);
        module.Elements(0, [.. Enumerable.Repeat(module.Function(module.Type([], []), 0, End), 1_000_000)]);
        AssertRefused("too many elements", module);
    }

    /// <summary>local.get 0, const 1, add, local.set 0.</summary>
    private static byte[] Increment => [0x20, 0, 0x41, 1, 0x6A, 0x21, 0];

    private static byte[] Repeat(int count, params byte[] code) => [.. Enumerable.Repeat(code, count).SelectMany(bytes => bytes)];

    /// <summary>A function that counts in its local returns this count, and was optimised or not.</summary>
    private static void AssertCounts(int count, bool isOptimized, byte[] code)
    {
        var module = new ModuleAssembler();
        module.Export("run", module.Type([], [I32]), 1, [.. code, 0x20, 0, End]);
        Assert.Equal(count, Run(module, out var image));
        var flags = image.Modules[0].Code.GetMethod("f0")!.MethodImplementationFlags;
        Assert.Equal(isOptimized, (flags & MethodImplAttributes.NoOptimization) == 0);
    }

    private static int Run(ModuleAssembler module, out CompiledImage image)
    {
        var compiled = CompiledImage.Compile(("main", module.Build()));
        var result = 0;
        GuestThread.Run(() =>
        {
            using var instance = compiled.Start(HostFunctions.None, 0);
            result = ((delegate*<nint, int>)compiled.Function("run"))(instance.Context);
        });
        image = compiled;
        return result;
    }

    private static void AssertRefused(string reason, ModuleAssembler module) =>
        Assert.Contains(reason, Assert.Throws<WasmFormatException>(() => WasmModule.Decode(module.Build())).Reason, StringComparison.Ordinal);
}
