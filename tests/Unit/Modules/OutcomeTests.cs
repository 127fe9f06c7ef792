using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>The outcomes of a run of a module.</summary>
public sealed class OutcomeTests
{
    private static readonly byte[] EndlessLoop = [0x03, 0x40, 0x0C, 0, 0x0B];

    [Fact]
    public async Task Empty_loop_ends_at_the_time_limit()
    {
        var (result, _) = await TestModule.RunAsync(TestModule.Command(EndlessLoop), TestModule.Within(300));
        Assert.Equal(RunOutcome.TimedOut, result.Outcome);
    }

    [Fact]
    public async Task A_loop_ends_at_the_limit_of_CPU_time()
    {
        var limits = TestModule.Within(20_000) with { CpuTime = TimeSpan.FromMilliseconds(50) };
        var (result, _) = await TestModule.RunAsync(TestModule.Command(EndlessLoop), limits);
        Assert.Equal(RunOutcome.OutOfCpu, result.Outcome);
    }

    [Fact]
    public async Task Stopped_module_does_not_stop_others()
    {
        // Runs for a while by counting down.
        byte[] work = [.. Constant(200_000_000), 0x21, 0, 0x03, 0x40, 0x20, 0, .. Constant(1), 0x6B, 0x22, 0, 0x0D, 0, 0x0B];
        using var neighbour = await TestModule.CompileAsync(TestModule.Command(work));
        using var endless = await TestModule.CompileAsync(TestModule.Command(EndlessLoop));
        var slow = TestModule.RunAsync(neighbour, TestModule.Within(60_000));
        for (var round = 0; round < 3; round++)
            Assert.Equal(RunOutcome.TimedOut, (await TestModule.RunAsync(endless, TestModule.Within(20))).Result.Outcome);
        Assert.Equal(RunOutcome.Succeeded, (await slow).Result.Outcome);
    }

    /// <summary>One call of <c>fd_write</c> may name all of the module's memory, each byte of which is a line.</summary>
    [Fact]
    public async Task Long_log_ends_when_the_module_is_cancelled()
    {
        const int Pages = 128;
        var assembler = new ModuleAssembler();
        var write = assembler.Import("wasi_snapshot_preview1", "fd_write", assembler.Type([I32, I32, I32, I32], [I32]));
        assembler.Memory(Pages + 1);
        // One vector, at 8: all behind the first page.
        byte[] code =
        [
            .. Constant(65536),
            .. Constant('\n'),
            .. Constant(Pages * 65536),
            0xFC,
            0x0B,
            0,
            .. Constant(8),
            .. Constant(65536),
            0x36,
            2,
            0,
            .. Constant(12),
            .. Constant(Pages * 65536),
            0x36,
            2,
            0,
            .. Constant(2),
            .. Constant(8),
            .. Constant(1),
            .. Constant(16),
            0x10,
            (byte)write,
            0x1A,
            0x0B,
        ];
        assembler.Export("_start", assembler.Type([], []), 0, code);
        using var program = await TestModule.CompileAsync(assembler.Build(), TestModule.Within(60_000, 64));
        using var cancellation = new CancellationTokenSource();
        var lines = 0;
        var (result, _) = await TestModule.RunAsync(
            program,
            TestModule.Within(60_000, 64),
            () =>
            {
                if (++lines == 1)
                    cancellation.Cancel();
            },
            cancellation.Token
        );
        Assert.Equal(RunOutcome.Cancelled, result.Outcome);
        // The lines that were logged before the host checked for cancellation again.
        Assert.InRange(lines, 1, 65536);
    }

    [Theory]
    [InlineData("unreachable", new byte[] { 0x00 })]
    [InlineData("out of bounds memory access", new byte[] { 0x41, 0x7F, 0x28, 2, 0, 0x1A })]
    [InlineData("out of bounds memory access", new byte[] { 0x41, 0x7F, 0x41, 0, 0x36, 2, 0 })]
    [InlineData("integer divide by zero", new byte[] { 0x41, 1, 0x41, 0, 0x6D, 0x1A })]
    [InlineData("integer overflow", new byte[] { 0x41, 0x80, 0x80, 0x80, 0x80, 0x78, 0x41, 0x7F, 0x6D, 0x1A })]
    [InlineData("invalid conversion to integer", new byte[] { 0x43, 0, 0, 0xC0, 0x7F, 0xA8, 0x1A })]
    public async Task Trap_reports_its_kind(string message, byte[] code)
    {
        var (result, _) = await TestModule.RunAsync(TestModule.Command(code));
        Assert.Equal((RunOutcome.Trapped, message), (result.Outcome, result.Error?.Message));
    }

    [Fact]
    public async Task A_call_through_the_wrong_type_or_an_empty_element_is_a_trap()
    {
        static byte[] Call(int element) => [.. Constant(element), 0x11, 1, 0];
        foreach (
            var (element, message) in new[]
            {
                (0, "indirect call type mismatch"),
                (1, "uninitialized element"),
                (2, "out of bounds table access"),
            }
        )
        {
            var module = TestModule.Command(
                assembler =>
                {
                    var number = assembler.Type([], [I32]);
                    var nothing = assembler.Type([], []);
                    Assert.Equal((0, 1), (number, nothing));
                    assembler.Table(2);
                    assembler.Elements(0, assembler.Function(number, 0, [.. Constant(1), 0x0B]));
                },
                Call(element)
            );
            var (result, _) = await TestModule.RunAsync(module);
            Assert.Equal((RunOutcome.Trapped, message), (result.Outcome, result.Error?.Message));
        }
    }

    [Fact]
    public async Task Endless_recursion_is_an_error_of_the_function_and_its_thread_survives()
    {
        var module = TestModule.Command([0x10, 0]);
        for (var round = 0; round < 3; round++)
        {
            var (result, _) = await TestModule.RunAsync(module);
            Assert.Equal((RunOutcome.Threw, "call stack exhausted"), (result.Outcome, result.Error?.Message));
        }
    }

    /// <summary>With frames of 64 KB, a check that only counts calls would come far beyond the end of the stack.</summary>
    [Fact]
    public async Task Recursion_with_large_frames_is_the_same_error()
    {
        const byte V128 = 0x7B;
        var assembler = new ModuleAssembler().Memory(1);
        var type = assembler.Type([], []);
        var locals = 4_000;
        // Locals that are all live across the call.
        var code = new List<byte>([1, .. Unsigned(locals), V128]);
        for (var local = 0; local < locals; local++)
            code.AddRange([.. Constant(0), 0xFD, 0, 4, 0, 0x21, .. Unsigned(local)]);
        code.AddRange([0x10, 0]);
        for (var local = 0; local < locals; local++)
            code.AddRange([.. Constant(0), 0x20, .. Unsigned(local), 0xFD, 11, 4, 0]);
        code.Add(0x0B);
        assembler.RawFunction(type, [.. code]);
        assembler.Export("_start", type, 0, 0x10, 0, 0x0B);
        var (result, _) = await TestModule.RunAsync(assembler.Build());
        Assert.Equal((RunOutcome.Threw, "call stack exhausted"), (result.Outcome, result.Error?.Message));
    }

    [Fact]
    public async Task Memory_beyond_the_limit_is_refused_and_a_following_failure_counts_as_out_of_memory()
    {
        byte[] allowed = [.. Constant(254), 0x40, 0, .. Constant(1), 0x46];
        var answer = TestModule.Answering(
            static _ => { },
            [.. Constant(256), 0x40, 0, .. Constant(-1), 0x46],
            allowed,
            [.. Constant(2), 0x40, 0, .. Constant(-1), 0x46],
            [0x3F, 0, .. Constant(-255), 0x6A]
        );
        Assert.Equal((RunOutcome.Succeeded, "1110"), await OutcomeAsync(answer));
        Assert.Equal((RunOutcome.OutOfMemory, ""), await OutcomeAsync(TestModule.Command([.. Constant(256), 0x40, 0, 0x1A, 0])));
    }

    [Fact]
    public async Task All_memories_of_a_module_count_together()
    {
        // 16 MB are 256 pages: the memories have 1 and 100, so 155 are left for either.
        var module = TestModule.Answering(
            static assembler => assembler.OtherMemory(0, 100),
            [.. Constant(156), 0x40, 1, .. Constant(-1), 0x46],
            [.. Constant(100), 0x40, 1, .. Constant(100), 0x46],
            [.. Constant(56), 0x40, 0, .. Constant(-1), 0x46],
            [.. Constant(55), 0x40, 0, .. Constant(1), 0x46]
        );
        Assert.Equal((RunOutcome.Succeeded, "1111"), await OutcomeAsync(module));
    }

    /// <summary>Builds a list whose elements all stay reachable. The heap of the garbage collector counts as memory.</summary>
    [Fact]
    public async Task Objects_of_the_garbage_collector_count_as_memory()
    {
        var module = TestModule.Command(
            static assembler =>
            {
                // (type $list (struct (field (mut i64)) (field (ref null $list))))
                Assert.Equal(0, assembler.RawType(0x5F, 2, 0x7E, 1, 0x63, 0, 0));
                assembler.RawGlobal(0x63, 0, 1, 0xD0, 0, 0x0B);
            },
            0x03,
            0x40,
            0x42,
            7,
            0x23,
            0,
            0xFB,
            0,
            0,
            0x24,
            0,
            0x0C,
            0,
            0x0B
        );
        var (result, _) = await TestModule.RunAsync(module, TestModule.Within(20_000));
        Assert.Equal(RunOutcome.OutOfMemory, result.Outcome);
        Assert.InRange(result.MemoryPeakBytes, 1 << 20, 16 << 20);
    }

    [Fact]
    public async Task A_null_reference_is_a_trap()
    {
        var module = TestModule.Command(static assembler => assembler.RawType(0x5F, 1, 0x7F, 0), 0xD0, 0, 0xFB, 2, 0, 0, 0x1A);
        var (result, _) = await TestModule.RunAsync(module);
        Assert.Equal((RunOutcome.Trapped, "null reference"), (result.Outcome, result.Error?.Message));
    }

    [Fact]
    public async Task Fuel_ends_a_module_after_the_same_instruction_every_time()
    {
        // The first digit counts rounds of nine; it stays 0 when fuel ends the module before it writes.
        byte[] count = [.. Constant(9), 0x21, 0, 0x03, 0x40, 0x20, 0, .. Constant(1), 0x6B, 0x22, 0, 0x0D, 0, 0x0B, .. Constant(9)];
        var module = TestModule.Answering(static _ => { }, count);
        var needed = 0L;
        for (var fuel = 1L; needed == 0; fuel++)
        {
            if (await OutcomeAsync(module, GuestLimits.Default with { Fuel = fuel }) == (RunOutcome.Succeeded, "9"))
                needed = fuel;
            Assert.InRange(fuel, 1, 200);
        }
        Assert.Equal((RunOutcome.OutOfFuel, ""), await OutcomeAsync(module, GuestLimits.Default with { Fuel = needed - 1 }));
        Assert.Equal((RunOutcome.Succeeded, "9"), await OutcomeAsync(module, GuestLimits.Default with { Fuel = needed }));
    }

    [Fact]
    public async Task Non_deterministic_and_non_standard_features_are_refused()
    {
        byte[] atomic = [.. Constant(0), 0xFE, 0x10, 2, 0, 0x1A];
        byte[] relaxed = [.. Constant(0), 0xFD, 0, 4, 0, .. Constant(0), 0xFD, 0, 4, 0, 0xFD, 0x80, 2, 0x1A];
        foreach (var code in new[] { atomic, relaxed })
            await Assert.ThrowsAsync<WasmCompileException>(() => TestModule.CompileAsync(TestModule.Command(code)));
    }

    private static async Task<(RunOutcome, string)> OutcomeAsync(byte[] module, GuestLimits? limits = null)
    {
        var (result, answer) = await TestModule.RunAsync(module, limits ?? TestModule.Within(10_000));
        return (result.Outcome, answer);
    }
}
