using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Whatever a guest does, it can be stopped: each test is a guest that would otherwise run for ages, or end the process.</summary>
public sealed unsafe class InterruptTests
{
    private const int Reason = 7;

    /// <summary>Called by the guests below just before they begin what does not end: then the interrupt is sent.</summary>
    [HostFunction("test", "begin")]
    private static void Begin(nint context) => ((ManualResetEventSlim)WasmInstance.FromContext(context).HostState!).Set();

    [Fact]
    public void An_endless_loop_stops() => AssertStops(module => [0x03, 0x40, 0x0C, 0, 0x0B]); // loop br 0 end

    [Fact]
    public void An_endless_loop_of_branches_that_carry_values_stops() =>
        AssertStops(module => [0x41, 1, 0x03, .. Unsigned(module.Type([I32], [])), 0x0C, 0, 0x0B]); // const 1, loop (param i32) br 0 end

    [Fact]
    public void Calls_that_double_at_every_level_without_any_loop_stop() => AssertStops(module =>
    {
        var callee = module.Function(0, 0, 0x0B);
        for (var level = 0; level < 60; level++)
            callee = module.Function(0, 0, [0x10, .. Unsigned(callee), 0x10, .. Unsigned(callee), 0x0B]);
        return [0x10, .. Unsigned(callee)];
    });

    [Fact]
    public void Mutual_tail_recursion_through_the_table_stops_or_exhausts_the_stack()
    {
        var module = new ModuleAssembler().Table(1);
        var type = module.Type([], []);
        var recursive = module.Export("run", type, 0, [0x41, 0, 0x11, .. Unsigned(type), 0, 0x0B]); // call_indirect 0
        module.Elements(0, recursive);
        AssertTraps(TrapKind.StackOverflow, module);
    }

    [Fact]
    public void A_fill_of_all_memory_over_and_over_stops() => AssertStops(
        module => [0x03, 0x40, .. Constant(0), .. Constant(1), .. Constant(1 << 29), 0xFC, 11, 0, 0x0C, 0, 0x0B],
        pages: 1 << 13);

    [Fact]
    public void An_interrupt_before_the_run_stops_it_at_its_first_check() => GuestThread.Run(() =>
    {
        var module = new ModuleAssembler();
        module.Export("run", module.Type([], []), 0, 0x03, 0x40, 0x0C, 0, 0x0B, 0x0B);
        var image = CompiledImage.Compile(("main", module.Build()));
        using var instance = image.Start(HostFunctions.None, 0);
        instance.Interrupt(Reason);
        instance.Interrupt(Reason + 1);
        instance.ArmStack();
        var trap = Assert.Throws<WasmTrapException>(() => Run(image, instance));
        Assert.Equal((TrapKind.Interrupted, Reason), (trap.Kind, trap.InterruptReason));
    });

    [Fact]
    public void An_endless_start_function_stops() => GuestThread.Run(() =>
    {
        var module = new ModuleAssembler();
        var type = module.Type([], []);
        module.Start(module.Function(type, 0, 0x03, 0x40, 0x0C, 0, 0x0B, 0x0B));
        var image = CompiledImage.Compile(("main", module.Build()));
        WasmInstance? started = null;
        var trap = Assert.Throws<WasmTrapException>(() => image.Start(HostFunctions.None, 0, instance =>
        {
            started = instance;
            instance.Interrupt(Reason);
        }));
        Assert.Equal((TrapKind.Interrupted, Reason), (trap.Kind, trap.InterruptReason));
        started!.Interrupt(Reason); // disposed by now: nothing happens
    });

    [Fact]
    public void An_interrupt_after_the_end_of_the_instance_is_harmless()
    {
        var module = new ModuleAssembler();
        module.Export("run", module.Type([], []), 0, 0x0B);
        var image = CompiledImage.Compile(("main", module.Build()));
        WasmInstance? instance = null;
        GuestThread.Run(() => instance = image.Start(HostFunctions.None, 0));
        instance!.Dispose();
        instance.Interrupt(Reason);
    }

    [Fact]
    public void Unbounded_recursion_traps_instead_of_ending_the_process()
    {
        var module = new ModuleAssembler();
        module.Export("run", module.Type([], []), 0, 0x10, 0, 0x0B);
        AssertTraps(TrapKind.StackOverflow, module);
    }

    [Fact]
    public void Recursion_through_frames_of_the_largest_size_traps_instead_of_ending_the_process()
    {
        const int Locals = 10_000;
        var module = new ModuleAssembler();
        var type = module.Type([], []);
        // Every local is written before the call and read after it, so that none can share a place with another.
        var writes = Enumerable.Range(0, Locals).SelectMany(local => (byte[])[0x23, 0, 0x21, .. Unsigned(local)]);
        var reads = Enumerable.Range(0, Locals).SelectMany(local => (byte[])[0x20, .. Unsigned(local), 0x24, 0]);
        module.Global(0); // not a constant, so that the locals are real
        module.Export("run", type, Locals, [.. writes, 0x10, 0, .. reads, 0x0B]);
        AssertTraps(TrapKind.StackOverflow, module);
    }

    private static void AssertTraps(TrapKind kind, ModuleAssembler module) => GuestThread.Run(() =>
    {
        var image = CompiledImage.Compile(("main", module.Build()));
        using var instance = image.Start(HostFunctions.None, 0);
        Assert.Equal(kind, Assert.Throws<WasmTrapException>(() => Run(image, instance)).Kind);
    });

    /// <summary>Runs a body that does not end, interrupts it once it has begun, and expects it to stop for that reason.</summary>
    private static void AssertStops(Func<ModuleAssembler, byte[]> body, int pages = 0)
    {
        var module = new ModuleAssembler();
        var type = module.Type([], []);
        module.Import("test", "begin", type);
        if (pages > 0)
            module.Memory(pages);
        byte[] code = body(module);
        module.Export("run", type, 0, [0x10, 0, .. code, 0x0B]);
        var image = CompiledImage.Compile(("main", module.Build()));
        using var begun = new ManualResetEventSlim();
        WasmInstance? running = null;
        var interrupter = new Thread(() =>
        {
            begun.Wait();
            running!.Interrupt(Reason);
        });
        interrupter.Start();
        GuestThread.Run(() =>
        {
            using var instance = image.Start(HostFunctions.From(typeof(InterruptTests)), pages);
            instance.HostState = begun;
            running = instance;
            var trap = Assert.Throws<WasmTrapException>(() => Run(image, instance));
            Assert.Equal((TrapKind.Interrupted, Reason), (trap.Kind, trap.InterruptReason));
        });
        interrupter.Join();
    }

    private static void Run(CompiledImage image, WasmInstance instance) =>
        ((delegate*<nint, void>)image.Function("run"))(instance.Context);
}
