using System.Globalization;
using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Instances whose memory pages guard: no neighbour can be reached, every fault is a trap of the guest that met it, and nothing else is.</summary>
public sealed unsafe class GuardPagesTests
{
    private const int PageBytes = 65536;
    private const int Interruption = 7;

    private static readonly CompilationOptions Guarded = new() { GuardPages = true, OptimizeAtFirstCall = true };
    private static readonly Lazy<CompiledImage> Image = new(Compile);

    public GuardPagesTests() => Assert.SkipUnless(CompilationOptions.GuardPagesAreAvailable, "This machine has no guard pages.");

    [Fact]
    public void No_address_reaches_a_neighbour() => GuestThread.Run(() =>
    {
        using var before = Start(16);
        using var instance = Start(16);
        using var after = Start(16);
        new Span<byte>(before.MemoryBase, PageBytes).Fill(1);
        new Span<byte>(after.MemoryBase, PageBytes).Fill(1);
        // Every MiB of what 32 bits reach, and of the guard behind it.
        for (var address = 1L << 20; address <= uint.MaxValue; address += 1 << 20)
            AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("load", (int)(uint)address, instance));
        for (var address = uint.MaxValue - 4096; address != 0; address++)
            AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("far", (int)address, instance));
        Assert.Equal(1, before.MemoryBase[0]);
        Assert.Equal(1, after.MemoryBase[0]);
    });

    [Fact]
    public void All_of_four_gigabytes_can_be_memory_and_nothing_behind_it() => GuestThread.Run(() =>
    {
        using var instance = Start(65_536);
        Assert.Equal(2, Call("grow", 65_534, instance));
        Assert.Equal(0, Call("load", -4, instance));
        AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("load", -3, instance));
        AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("far", -1, instance));
    });

    [Fact]
    public void What_memory_has_grown_by_is_gone_after_a_reset() => GuestThread.Run(() =>
    {
        using var snapshot = Start(16).Snapshot();
        using var instance = Image.Value.Instantiate(snapshot, 16);
        for (var round = 0; round < 3; round++)
        {
            instance.ArmStack();
            AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("load", 4 * PageBytes, instance));
            instance.Reset(snapshot);
            instance.ArmStack();
            Assert.Equal(2, Call("grow", 4, instance));
            Assert.Equal(0, Call("load", 4 * PageBytes, instance));
            instance.Reset(snapshot);
        }
    });

    [Fact]
    public void A_null_reference_of_the_host_is_no_trap_of_the_guest() => GuestThread.Run(() =>
    {
        using var instance = Start(16);
        Assert.Throws<NullReferenceException>(() => Call("host", 0, instance));
        // And a fault after it is one.
        AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("load", -1, instance));
    });

    [Fact]
    public void A_fault_at_the_end_of_the_stack_is_a_trap() => GuestThread.Run(() =>
    {
        using var instance = Start(16);
        var (deepest, overflows) = (1, 1 << 20);
        while (overflows - deepest > Math.Max(deepest / 16, 1000))
        {
            var depth = (deepest + overflows) / 2;
            if (Assert.Throws<WasmTrapException>(() => Call("deep", depth, instance)).Kind == TrapKind.StackOverflow)
                overflows = depth;
            else
                deepest = depth;
        }

        Assert.True(deepest > 1000);
        AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("deep", deepest - 100, instance));
    });

    [Fact]
    public void A_start_function_and_initialize_that_fault_fail_the_start() => GuestThread.Run(() =>
    {
        var starting = new ModuleAssembler().Memory(1);
        starting.Start(starting.Function(starting.Type([], []), 0, [.. Constant(-1), 0x28, 2, 0, 0x1A, 0x0B]));
        var initializing = new ModuleAssembler().Memory(1);
        initializing.Export("_initialize", initializing.Type([], []), 0, [.. Constant(-1), 0x28, 2, 0, 0x1A, 0x0B]);
        foreach (var module in (ModuleAssembler[])[starting, initializing])
            AssertTraps(TrapKind.OutOfBoundsMemory, () => CompiledImage.Compile(Guarded, ("main", module.Build())).Start(HostFunctions.None, 16).Dispose());
    });

    [Fact]
    public void A_fault_behind_a_tail_call_is_a_trap() => GuestThread.Run(() =>
    {
        using var instance = Start(16);
        AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("tail", -1, instance));
        Assert.Equal(0, Call("tail", 0, instance));
    });

    [Theory]
    [InlineData(60_000)]
    [InlineData(PageBytes)]
    [InlineData(100_000)]
    public void An_access_that_succeeded_says_nothing_about_one_further_on(int offset) => GuestThread.Run(() =>
    {
        // The runtime's compiler takes two accesses at nearby addresses for one null check: a fault of the second one must not get lost,
        // and an access in a branch that is not taken must not be moved out of its loop.
        var module = new ModuleAssembler().Memory(2);
        var unary = module.Type([I32], [I32]);
        byte[] near = [0x20, 0, 0x28, 2, 0], far = [0x20, 0, 0x28, 2, .. Unsigned(offset)];
        module.Export("both", unary, 0, [.. near, .. far, 0x1A, 0x0B]);
        module.Export("stored", unary, 0, [0x20, 0, .. Constant(7), 0x36, 2, 0, .. far, 0x1A, .. Constant(0), 0x0B]);
        // for (i = 100; i != 0; i--) { sum += near; if (i == 1000) sum += far; }
        module.Export("loop", unary, 2,
        [
            .. Constant(100), 0x21, 1,
            0x03, 0x40, 0x20, 2, .. near, 0x6A, 0x21, 2,
            0x20, 1, .. Constant(1000), 0x46, 0x04, 0x40, 0x20, 2, .. far, 0x6A, 0x21, 2, 0x0B,
            0x20, 1, .. Constant(1), 0x6B, 0x22, 1, 0x0D, 0, 0x0B, 0x20, 2, 0x0B,
        ]);
        var image = CompiledImage.Compile(Guarded, ("main", module.Build()));
        using var instance = image.Start(HostFunctions.None, 16);
        var last = 2 * PageBytes - 4;
        foreach (var export in (string[])["both", "stored"])
        {
            var function = (delegate*<int, nint, int>)image.Function(export);
            AssertTraps(TrapKind.OutOfBoundsMemory, () => function(last, instance.Context));
            function(last - offset, instance.Context);
        }

        Assert.Equal(7, *(int*)(instance.MemoryBase + last));
        Assert.Equal(700, ((delegate*<int, nint, int>)image.Function("loop"))(last, instance.Context));
    });

    /// <summary>
    /// Faults on many threads at once, beside interrupts, null references of host and guest's callers, and a collector that never rests. PGFN_TRAPS says how
    /// many; some millions have to pass before this is trusted on another platform or runtime.
    /// </summary>
    [Fact]
    public void Faults_on_many_threads_are_traps_under_garbage_collection()
    {
        var traps = int.Parse(Environment.GetEnvironmentVariable("PGFN_TRAPS") ?? "20000", CultureInfo.InvariantCulture);
        const int Threads = 8;
        using var ended = new CancellationTokenSource();
        var collector = new Thread(() => Collect(ended.Token));
        collector.Start();
        try
        {
            var failures = new Exception?[Threads];
            var threads = Enumerable.Range(0, Threads).Select(index => new Thread(() => failures[index] = Record.Exception(() => Fault(index, traps / Threads)), WasmInstance.RunStackBytes)).ToList();
            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
            Assert.All(failures, Assert.Null);
        }
        finally
        {
            ended.Cancel();
            collector.Join();
        }
    }

    private static void Fault(int seed, int count)
    {
        var random = new Random(seed);
        using var snapshot = Start(16).Snapshot();
        var instance = Image.Value.Instantiate(snapshot, 16);
        for (var trap = 0; trap < count; trap++)
        {
            instance.ArmStack();
            var kept = new object[random.Next(64)];
            for (var index = 0; index < kept.Length; index++)
                kept[index] = new byte[random.Next(2000)];
            switch (random.Next(8))
            {
                case 0:
                    Assert.Throws<NullReferenceException>(() => Call("host", 0, instance));
                    break;
                case 1:
                    Assert.Throws<NullReferenceException>(() => kept.Length > 99 ? "" : ((string)null!).Trim());
                    break;
                case 2:
                    AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("deep", random.Next(1, 200), instance));
                    break;
                case 3:
                    instance.Interrupt(Interruption);
                    AssertTraps(TrapKind.Interrupted, () => Call("deep", 3, instance));
                    break;
                case 4:
                    instance.Dispose();
                    instance = Image.Value.Instantiate(snapshot, 16);
                    instance.ArmStack();
                    goto default;
                default:
                    AssertTraps(TrapKind.OutOfBoundsMemory, () => Call("store", random.Next(2 * PageBytes, int.MaxValue) * (random.Next(2) * 2 - 1), instance));
                    break;
            }

            instance.Reset(snapshot);
            GC.KeepAlive(kept);
        }

        instance.Dispose();
    }

    private static void Collect(CancellationToken ended)
    {
        for (var round = 0; !ended.IsCancellationRequested; round++)
        {
            GC.Collect(round % 3, GCCollectionMode.Forced, blocking: round % 2 == 0, compacting: round % 4 == 0);
            Thread.Sleep(1);
        }
    }

    private static void AssertTraps(TrapKind kind, Action action) => Assert.Equal(kind, Assert.Throws<WasmTrapException>(action).Kind);

    private static void AssertTraps(TrapKind kind, Func<object> action) => AssertTraps(kind, () => { action(); });

    private static WasmInstance Start(int memoryLimitPages) => Image.Value.Start(HostFunctions.From(typeof(GuardPagesTests)), memoryLimitPages);

    private static int Call(string export, int argument, WasmInstance instance) =>
        ((delegate*<int, nint, int>)Image.Value.Function(export))(argument, instance.Context);

    [HostFunction("test", "fail")]
    private static void Fail(nint context)
    {
        var nothing = WasmInstance.FromContext(context).HostState as string;
        GC.KeepAlive(nothing!.Length);
    }

    private static CompiledImage Compile()
    {
        var module = new ModuleAssembler().Memory(2, 65_536);
        var unary = module.Type([I32], [I32]);
        var fail = module.Import("test", "fail", module.Type([], []));
        module.Export("grow", unary, 0, 0x20, 0, 0x40, 0, 0x0B);
        var load = module.Export("load", unary, 0, 0x20, 0, 0x28, 2, 0, 0x0B);
        module.Export("store", unary, 0, [0x20, 0, .. Constant(-1), 0x36, 2, 0, .. Constant(0), 0x0B]);
        module.Export("far", unary, 0, [0x20, 0, 0x28, 2, .. Unsigned(GuardedSpace.GuardBytes - 4), 0x0B]);
        module.Export("host", unary, 0, [0x10, .. Unsigned(fail), .. Constant(0), 0x0B]);
        // deep(n): n == 1 ? load(-1) : deep(n - 1) + 1
        var deep = load + 4;
        module.Export("deep", unary, 0,
            [0x20, 0, .. Constant(1), 0x46, 0x04, I32, .. Constant(-1), 0x28, 2, 0, 0x05, 0x20, 0, .. Constant(1), 0x6B, 0x10, .. Unsigned(deep), .. Constant(1), 0x6A, 0x0B, 0x0B]);
        module.Export("tail", unary, 0, [0x20, 0, 0x12, .. Unsigned(load), 0x0B]);
        return CompiledImage.Compile(Guarded, ("main", module.Build()));
    }
}
