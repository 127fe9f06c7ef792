using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Which functions check the stack and interrupts when they are entered.</summary>
public sealed class CallGraphTests
{
    [Fact]
    public void A_function_that_calls_no_one_needs_no_check() => Assert.Equal([false], Checks(module => module.Function(0, 0, 0x0B)));

    [Fact]
    public void Functions_that_call_each_other_check_and_those_that_only_call_them_do_not() => Assert.Equal([true, true, false], Checks(module =>
    {
        module.Function(0, 0, 0x10, 1, 0x0B);
        module.Function(0, 0, 0x10, 0, 0x0B);
        module.Function(0, 0, 0x10, 0, 0x0B);
    }));

    [Fact]
    public void A_function_in_the_table_that_calls_through_the_table_checks() => Assert.Equal([true, false], Checks(module =>
    {
        module.Table(2);
        module.Function(0, 0, [.. Constant(0), 0x11, 0, 0, 0x0B]);
        module.Function(0, 0, 0x0B);
        module.Elements(0, 0, 1);
    }));

    [Fact]
    public void An_exported_function_that_calls_the_host_checks_because_the_host_may_call_back() => Assert.Equal([true], Checks(module =>
    {
        module.Import("host", "call", 0);
        module.Export("run", 0, 0, 0x10, 0, 0x0B);
    }));

    [Fact]
    public void A_chain_of_large_frames_checks_often_enough()
    {
        const int Locals = 5_000;
        const int Length = 400;
        var checks = Checks(module =>
        {
            module.Function(0, Locals, 0x0B);
            for (var link = 0; link < Length - 1; link++)
                module.Function(0, Locals, [0x10, .. Unsigned(link), 0x0B]);
        });
        var longest = 0;
        for (int index = 0, run = 0; index < Length; index++)
            longest = Math.Max(longest, run = checks[index] ? 0 : run + 1);
        // 5000 locals are 40 KB at most; some hundred KB may go unchecked.
        Assert.InRange(longest, 1, 5);
    }

    [Fact]
    public void A_chain_that_doubles_its_work_at_each_link_checks_often_enough()
    {
        const int Length = 100;
        var checks = Checks(module =>
        {
            module.Function(0, 0, 0x0B);
            for (var link = 0; link < Length - 1; link++)
                module.Function(0, 0, [0x10, .. Unsigned(link), 0x10, .. Unsigned(link), 0x0B]);
        });
        var longest = 0;
        for (int index = 0, run = 0; index < Length; index++)
            longest = Math.Max(longest, run = checks[index] ? 0 : run + 1);
        Assert.InRange(longest, 1, 24);
    }

    private static bool[] Checks(Action<ModuleAssembler> build)
    {
        var module = new ModuleAssembler();
        module.Type([], []);
        build(module);
        return CallGraph.FindEntryChecks(WasmModule.Decode(module.Build()));
    }
}
