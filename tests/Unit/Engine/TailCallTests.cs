using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>A tail call needs no stack of its own, whatever caller and callee look like, and can be stopped like any other loop.</summary>
public sealed unsafe class TailCallTests
{
    private const int Calls = 1_000_000;

    [Fact]
    public void A_million_calls_between_two_functions_need_constant_stack()
    {
        var module = new ModuleAssembler();
        var type = module.Type([I32, I32], [I32]);
        module.Export("run", type, 0, CountDown(0x12, 1));
        module.Function(type, 0, CountDown(0x12, 0));
        Assert.Equal(Calls, Run(module));
    }

    [Fact]
    public void A_million_calls_through_a_table_need_constant_stack()
    {
        var module = new ModuleAssembler().Table(2);
        var type = module.Type([I32, I32], [I32]);
        module.Elements(0, 0, 1);
        module.Export("run", type, 0, CountDown([.. Constant(1), 0x13, .. Unsigned(type), 0]));
        module.Function(type, 0, CountDown([.. Constant(0), 0x13, .. Unsigned(type), 0]));
        Assert.Equal(Calls, Run(module));
    }

    [Fact]
    public void A_million_calls_with_more_arguments_than_the_caller_has_need_constant_stack()
    {
        const int Parameters = 20;
        var module = new ModuleAssembler();
        var few = module.Type([I32, I32], [I32]);
        var many = module.Type([.. Enumerable.Repeat(I32, Parameters)], [I32]);
        byte[] padding = [.. Enumerable.Repeat(Constant(5), Parameters - 2).SelectMany(code => code)];
        module.Export("run", few, 0, CountDown([.. padding, 0x12, 1]));
        module.Function(many, 0, [0x20, 0, 0x20, 1, 0x12, 0, 0x0B]);
        Assert.Equal(Calls, Run(module));
    }

    [Fact]
    public void Endless_tail_calls_stop()
    {
        var module = new ModuleAssembler();
        var type = module.Type([], []);
        module.Import("test", "begin", type);
        module.Export("run", type, 0, 0x10, 0, 0x12, 2, 0x0B);
        module.Function(type, 0, 0x12, 2, 0x0B);
        var image = CompiledImage.Compile(("main", module.Build()));
        GuestThread.Run(() =>
        {
            using var instance = image.Start(HostFunctions.From(typeof(TailCallTests)), 0);
            var trap = Assert.Throws<WasmTrapException>(() => ((delegate*<nint, void>)image.Function("run"))(instance.Context));
            Assert.Equal((TrapKind.Interrupted, 3), (trap.Kind, trap.InterruptReason));
        });
    }

    [HostFunction("test", "begin")]
    private static void Begin(nint context) => WasmInstance.FromContext(context).Interrupt(3);

    private static byte[] CountDown(params byte[] call) =>
    [
        0x20, 0, 0x45, 0x04, 0x40, 0x20, 1, 0x0F, 0x0B, // if the first is 0, return the second
        0x20, 0, 0x41, 1, 0x6B, 0x20, 1, 0x41, 1, 0x6A, .. call, 0x0B,
    ];

    private static int Run(ModuleAssembler module)
    {
        var image = CompiledImage.Compile(("main", module.Build()));
        var result = 0;
        GuestThread.Run(() =>
        {
            using var instance = image.Start(HostFunctions.None, 0);
            result = ((delegate*<int, int, nint, int>)image.Function("run"))(Calls, 0, instance.Context);
        });
        return result;
    }
}
