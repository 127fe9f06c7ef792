using Functions.PgSidecar.Sandbox.Runs;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Modules under the limits of the whole process: the memory of all invocations together, and the resolution of clocks.</summary>
public sealed class SharedLimitTests
{
    /// <summary>Grows its memory by 256 pages, 16 MB, and traps when that is refused.</summary>
    private static readonly byte[] Grows = [.. Constant(256), 0x40, 0, .. Constant(-1), 0x46, 0x04, 0x40, 0x00, 0x0B];

    [Theory]
    [InlineData(8, 64, RunOutcome.OutOfSharedMemory)]
    [InlineData(64, 8, RunOutcome.OutOfMemory)]
    [InlineData(64, 64, RunOutcome.Succeeded)]
    internal async Task Growth_ends_at_the_modules_own_limit_and_at_that_of_all(int allMegabytes, int ownMegabytes, RunOutcome expected)
    {
        var budget = new MemoryBudget((long)allMegabytes << 20);
        using var engine = TestModule.NewEngine(threads: 1, budget);
        using (var program = (await engine.CompileAsync("test", TestModule.Command(Grows), GuestLimits.Default, null)).Program)
        {
            var (result, _) = await TestModule.RunAsync(program, TestModule.Within(20_000, ownMegabytes));
            Assert.Equal(expected, result.Outcome);
        }
        Assert.Equal(0, budget.Used);
    }

    [Fact]
    public async Task Module_that_needs_more_than_the_remaining_memory_does_not_start()
    {
        var budget = new MemoryBudget(8L << 20);
        using var engine = TestModule.NewEngine(threads: 1, budget);
        var module = TestModule.Command(static assembler => assembler.OtherMemory(0, 100), 0x01);
        using (var program = (await engine.CompileAsync("test", module, GuestLimits.Default, null)).Program)
        {
            budget.Take(4L << 20);
            Assert.Equal(RunOutcome.OutOfSharedMemory, (await TestModule.RunAsync(program)).Result.Outcome);
            budget.Return(4L << 20);
            Assert.Equal(RunOutcome.Succeeded, (await TestModule.RunAsync(program)).Result.Outcome);
        }
        Assert.Equal(0, budget.Used);
    }

    [Fact]
    public async Task Idle_memory_of_modules_counts_and_is_released_first()
    {
        var budget = new MemoryBudget(8L << 20);
        using var engine = TestModule.NewEngine(threads: 1, budget);
        using var program = (await engine.CompileAsync("test", TestModule.Command(0x01), GuestLimits.Default, null)).Program;
        await TestModule.RunAsync(program);
        // One idle memory, of one page.
        Assert.Equal(65536, budget.Used);
        Assert.True(budget.TryTake(budget.Limit, 0));
        Assert.Equal(budget.Limit, budget.Used);
        budget.Return(budget.Limit);
        // The next run maps its memory again, which is idle afterwards.
        Assert.Equal(RunOutcome.Succeeded, (await TestModule.RunAsync(program)).Result.Outcome);
        Assert.Equal(65536, budget.Used);
    }

    [Fact]
    public async Task Clocks_advance_in_steps_of_the_resolution()
    {
        const byte TimeGet = 1;
        const byte ResolutionGet = 2;
        // 600 holds the time, in nanoseconds; a digit is 1 where the call succeeded and the time is not 0 and a multiple of 100 us.
        static byte[] Clock(int clock) =>
            [
                .. Constant(clock),
                0x42,
                0,
                .. Constant(600),
                0x10,
                TimeGet,
                0x45,
                .. Constant(600),
                0x29,
                3,
                0,
                0x42,
                0xA0,
                0x8D,
                0x06,
                0x82,
                0x50,
                0x71,
                .. Constant(600),
                0x29,
                3,
                0,
                0x50,
                0x45,
                0x71,
            ];
        byte[] resolution =
        [
            .. Constant(1),
            .. Constant(608),
            0x10,
            ResolutionGet,
            0x45,
            .. Constant(608),
            0x29,
            3,
            0,
            0x42,
            0xA0,
            0x8D,
            0x06,
            0x51,
            0x71,
        ];
        var module = TestModule.Answering(
            static assembler =>
            {
                Assert.Equal(TimeGet, assembler.Import("wasi_snapshot_preview1", "clock_time_get", assembler.Type([I32, I64, I32], [I32])));
                Assert.Equal(ResolutionGet, assembler.Import("wasi_snapshot_preview1", "clock_res_get", assembler.Type([I32, I32], [I32])));
            },
            Clock(0),
            Clock(1),
            resolution
        );
        var (result, answer) = await TestModule.RunAsync(module);
        Assert.Equal((RunOutcome.Succeeded, "111"), (result.Outcome, answer));
    }
}
