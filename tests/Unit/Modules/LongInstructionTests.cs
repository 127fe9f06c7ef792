using Functions.PgSidecar.Sandbox.Runs;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Time limits also end code without loops and calls, whose single instructions take long.</summary>
[Trait("Speed", "Slow")]
public sealed class LongInstructionTests
{
    /// <summary>Each instruction touches 8 MiB, and 5,000 follow each other without a loop or a call between them.</summary>
    [Theory]
    [InlineData("fill", new byte[] { 0xFC, 0x0B, 0 })]
    [InlineData("copy", new byte[] { 0xFC, 0x0A, 0, 0 })]
    [InlineData("init", new byte[] { 0xFC, 0x08, 0, 0 })]
    public async Task Sequence_of_long_instructions_ends_at_the_time_limit(string name, byte[] instruction)
    {
        const int Size = 8 << 20;
        byte[] one = [.. Constant(65536), .. Constant(0), .. Constant(Size), .. instruction];
        var module = TestModule.Command(
            assembler => assembler.RawData([1, .. Unsigned(Size), .. new byte[Size]]),
            [.. Constant(200), 0x40, 0, 0x1A, .. Enumerable.Repeat(one, 5_000).SelectMany(static bytes => bytes)]
        );
        using var program = await TestModule.CompileAsync(module, TestModule.Within(10_000, 64));
        var (result, _) = await TestModule.RunAsync(program, TestModule.Within(200, 64));
        Assert.Equal((name, RunOutcome.TimedOut), (name, result.Outcome));
        // All of them touch 40 GiB, which takes 4 s and more.
        Assert.InRange(result.CpuTime.TotalSeconds, 0, 2);
    }

    /// <summary>The same for tables with as many elements as they may have.</summary>
    [Theory]
    [InlineData("init", new byte[] { 0xFC, 0x0C, 0, 0 })]
    [InlineData("copy", new byte[] { 0xFC, 0x0E, 0, 0 })]
    [InlineData("fill", new byte[] { 0xFC, 0x11, 0 })]
    public async Task Sequence_of_long_table_instructions_ends_at_the_time_limit(string name, byte[] instruction)
    {
        const int Elements = 199_999;
        byte[] what = name == "fill" ? [0xD2, 0] : Constant(name == "copy" ? 1 : 0);
        byte[] one = [.. Constant(0), .. what, .. Constant(Elements), .. instruction];
        var module = TestModule.Command(
            assembler =>
            {
                assembler.Table(Elements + 1);
                assembler.PassiveElements(Elements, assembler.Function(assembler.Type([], []), 0, 0x0B));
            },
            [.. Enumerable.Repeat(one, 5_000).SelectMany(static bytes => bytes)]
        );
        using var program = await TestModule.CompileAsync(module, TestModule.Within(10_000, 64));
        Assert.Equal(RunOutcome.TimedOut, (await TestModule.RunAsync(program, TestModule.Within(50, 64))).Result.Outcome);
    }
}
