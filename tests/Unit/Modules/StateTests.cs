using System.Text.Json;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Runs;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Every run of a module begins with the state after its start, regardless of earlier runs.</summary>
public sealed class StateTests
{
    private static readonly byte[] F64One = [0x44, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F];

    [Fact]
    public async Task Start_runs_once_and_its_memory_and_globals_are_restored_in_each_run()
    {
        var module = TestModule.Answering(
            static assembler =>
            {
                assembler.Global(0);
                assembler.RawGlobal(0x7E, 1, 0x42, 0, 0x0B);
                assembler.RawGlobal([0x7C, 1, 0x44, .. new byte[8], 0x0B]);
                assembler.RawGlobal([0x7B, 1, 0xFD, 12, .. new byte[16], 0x0B]);
                var start = assembler.Function(
                    assembler.Type([], []),
                    0,
                    [
                        .. Constant(2000),
                        .. Constant(7),
                        0x3A,
                        0,
                        0,
                        0x23,
                        0,
                        .. Constant(1),
                        0x6A,
                        0x24,
                        0,
                        0x42,
                        2,
                        0x24,
                        1,
                        .. F64One,
                        0x24,
                        2,
                        .. Constant(4),
                        0xFD,
                        15,
                        0x24,
                        3,
                        .. Constant(3),
                        0x40,
                        0,
                        0x1A,
                        0x0B,
                    ]
                );
                assembler.Start(start);
            },
            [.. Constant(2000), 0x2D, 0, 0],
            [0x23, 0],
            [0x23, 1, 0xA7],
            [0x23, 2, 0xAA],
            [0x23, 3, 0xFD, 22, 15],
            [0x3F, 0],
            // The run changes them, which later runs must not see.
            [.. Constant(2000), .. Constant(0), 0x3A, 0, 0, .. Constant(8), 0x24, 0, .. Constant(5), 0x40, 0, 0x1A, .. Constant(0)]
        );
        var (program, stored, info) = await TestModule.Engine.CompileAsync("state", module, GuestLimits.Default);
        Assert.Equal("once", JsonDocument.Parse(info).RootElement.GetProperty("start").GetString());
        using (program)
        {
            for (var run = 0; run < 3; run++)
                Assert.Equal("7121440", (await TestModule.RunAsync(program)).Answer);
        }
        using var read = TestModule.Engine.Read("state", stored);
        for (var run = 0; run < 3; run++)
            Assert.Equal("7121440", (await TestModule.RunAsync(read)).Answer);
    }

    /// <summary>Functions in tables cannot be stored. Such a module is started in each run and sees no difference.</summary>
    [Fact]
    public async Task A_module_whose_start_changes_a_table_is_started_in_each_run()
    {
        var module = TestModule.Answering(
            static assembler =>
            {
                var number = assembler.Type([], [I32]);
                assembler.Table(2);
                var one = assembler.Function(number, 0, [.. Constant(1), 0x0B]);
                var two = assembler.Function(number, 0, [.. Constant(2), 0x0B]);
                assembler.Elements(0, one, two);
                // table.set 0 (0) <- element 1
                assembler.Start(assembler.Function(assembler.Type([], []), 0, [.. Constant(0), .. Constant(1), 0x25, 0, 0x26, 0, 0x0B]));
            },
            [.. Constant(0), 0x11, 1, 0],
            [.. Constant(1), 0xD0, 0x70, 0x26, 0, .. Constant(1), 0x25, 0, 0xD1]
        );
        await ExpectAsync(module, "each", "21");
    }

    /// <summary>An object that a global refers to may have changed.</summary>
    [Fact]
    public async Task A_module_with_objects_of_the_garbage_collector_is_started_in_each_run()
    {
        var module = TestModule.Answering(
            static assembler =>
            {
                var cell = assembler.RawType(0x5F, 1, 0x7F, 1);
                var global = assembler.RawGlobal(0x64, (byte)cell, 0, 0x41, 3, 0xFB, 0, (byte)cell, 0x0B);
                assembler.Start(
                    assembler.Function(assembler.Type([], []), 0, [0x23, (byte)global, .. Constant(5), 0xFB, 5, (byte)cell, 0, 0x0B])
                );
            },
            [0x23, 0, 0xFB, 2, 1, 0],
            [0x23, 0, .. Constant(9), 0xFB, 5, 1, 0, .. Constant(0)]
        );
        await ExpectAsync(module, "each", "50");
    }

    [Fact]
    public async Task A_module_that_drops_a_segment_when_it_starts_is_started_in_each_run()
    {
        var module = TestModule.Answering(
            static assembler =>
            {
                assembler.RawData(1, 1, 9);
                assembler.Start(
                    assembler.Function(
                        assembler.Type([], []),
                        0,
                        [.. Constant(2000), .. Constant(0), .. Constant(1), 0xFC, 8, 1, 0, 0xFC, 9, 1, 0x0B]
                    )
                );
            },
            [.. Constant(2000), 0x2D, 0, 0]
        );
        await ExpectAsync(module, "each", "9");
    }

    [Fact]
    public async Task Data_segments_are_placed_by_constant_expressions_in_any_memory()
    {
        var module = TestModule.Answering(
            static assembler =>
            {
                assembler.OtherMemory(0, 2);
                var sixteen = assembler.RawGlobal([0x7F, 0, .. Constant(16), 0x0B]);
                var more = assembler.RawGlobal([0x7F, 0, 0x23, (byte)sixteen, .. Constant(4), 0x6C, 0x0B]);
                assembler.RawData([0, 0x23, (byte)more, .. Constant(1), 0x6B, 0x0B, 1, 4]);
                assembler.RawData([2, 1, .. Constant(65536), 0x0B, 1, 6]);
                // A later segment over an earlier one.
                assembler.RawData([0, .. Constant(100), 0x0B, 2, 1, 1]);
                assembler.RawData([0, .. Constant(101), 0x0B, 1, 2]);
            },
            [.. Constant(63), 0x2D, 0, 0],
            [.. Constant(65536), 0x2D, 0x40, 1, 0],
            [.. Constant(100), 0x2D, 0, 0],
            [.. Constant(101), 0x2D, 0, 0],
            // A copied segment has no bytes left.
            [.. Constant(101), .. Constant(0), .. Constant(0), 0xFC, 8, 1, 0, .. Constant(3)]
        );
        await ExpectAsync(module, "once", "46123");
    }

    [Fact]
    public async Task Data_outside_of_memory_fails_the_deployment()
    {
        var module = TestModule.Command(static assembler => assembler.RawData([0, .. Constant(65535), 0x0B, 2, 1, 1]));
        var error = await Assert.ThrowsAsync<WasmCompileException>(() => TestModule.CompileAsync(module));
        Assert.Contains("out of bounds memory access", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_with_64_bit_addresses_works()
    {
        var assembler = new ModuleAssembler();
        assembler.OtherMemory(4, 1);
        assembler.RawData(0, 0x42, 8, 0x0B, 1, 5);
        // Traps unless address 8 holds a 5, and an address beyond 32 bits is one outside.
        assembler.Export(
            "_start",
            assembler.Type([], []),
            0,
            0x42,
            8,
            0x2D,
            0,
            0,
            0x41,
            5,
            0x47,
            0x04,
            0x40,
            0,
            0x0B,
            0x42,
            0x80,
            0x80,
            0x80,
            0x80,
            0x10,
            0x2D,
            0,
            0,
            0x1A,
            0x0B
        );
        var (result, _) = await TestModule.RunAsync(assembler.Build());
        Assert.Equal((RunOutcome.Trapped, "out of bounds memory access"), (result.Outcome, result.Error?.Message));
    }

    [Trait("Speed", "Slow")]
    [Fact]
    public async Task Runs_that_grow_memory_trap_or_time_out_leave_nothing_to_the_next()
    {
        // Random numbers decide what a run does. It responds with what it finds first.
        var assembler = new ModuleAssembler();
        var random = assembler.Import("wasi_snapshot_preview1", "random_get", assembler.Type([I32, I32], [I32]));
        var write = assembler.Import("wasi_snapshot_preview1", "fd_write", assembler.Type([I32, I32, I32, I32], [I32]));
        assembler.Memory(20);
        assembler.Data(8, [16, 0, 0, 0, 1, 0, 0, 0, (byte)'a']);
        var sum = assembler.Global(0);
        byte[] checksum =
        [
            // For every word but those that random_get filled: sum of memory.
            .. Constant(64),
            0x21,
            0,
            0x03,
            0x40,
            0x23,
            (byte)sum,
            0x20,
            0,
            0x28,
            2,
            0,
            0x72,
            0x24,
            (byte)sum,
            0x20,
            0,
            .. Constant(4),
            0x6A,
            0x22,
            0,
            0x3F,
            0,
            .. Constant(16),
            0x74,
            0x48,
            0x0D,
            0,
            0x0B,
            // State is left over ('b'), or the memory has grown.
            0x23,
            (byte)sum,
            0x3F,
            0,
            .. Constant(20),
            0x47,
            0x72,
            0x04,
            0x40,
            .. Constant(16),
            .. Constant('b'),
            0x3A,
            0,
            0,
            0x0B,
            .. Constant(1),
            .. Constant(8),
            .. Constant(1),
            .. Constant(32),
            0x10,
            (byte)write,
            0x1A,
        ];
        byte[] spoil =
        [
            // Fills a random place, grows, and then loops for ever, traps, or ends.
            .. Constant(40),
            .. Constant(4),
            0x10,
            (byte)random,
            0x1A,
            .. Constant(40),
            0x28,
            2,
            0,
            .. Constant(0xFFFFF),
            0x71,
            .. Constant(-1),
            .. Constant(200_000),
            0xFC,
            11,
            0,
            .. Constant(4),
            0x40,
            0,
            0x1A,
            .. Constant(40),
            0x28,
            2,
            0,
            .. Constant(7),
            0x71,
            0x45,
            0x04,
            0x40,
            0x03,
            0x40,
            0x0C,
            0,
            0x0B,
            0x0B,
            .. Constant(40),
            0x28,
            2,
            0,
            .. Constant(3),
            0x71,
            .. Constant(1),
            0x46,
            0x04,
            0x40,
            0,
            0x0B,
        ];
        assembler.Export("_start", assembler.Type([], []), 1, [.. checksum, .. spoil, 0x0B]);
        using var program = await TestModule.CompileAsync(assembler.Build());
        var outcomes = new HashSet<RunOutcome>();
        for (var run = 0; run < 400; run++)
        {
            var (result, answer) = await TestModule.RunAsync(program, TestModule.Within(40));
            outcomes.Add(result.Outcome);
            if (result.Outcome == RunOutcome.Succeeded)
                Assert.Equal("\"a\"", answer);
        }
        Assert.Superset(new HashSet<RunOutcome> { RunOutcome.Succeeded, RunOutcome.Trapped, RunOutcome.TimedOut }, outcomes);
    }

    [Fact]
    public async Task Damaged_programs_and_programs_of_another_version_are_refused()
    {
        var (program, stored, _) = await TestModule.Engine.CompileAsync("small", TestModule.Command(), GuestLimits.Default);
        program.Dispose();
        Assert.Throws<InvalidDataException>(() => TestModule.Engine.Read("small", stored.AsMemory(0, stored.Length / 2)));
        Assert.Throws<InvalidDataException>(() => TestModule.Engine.Read("small", default));
        stored[0]++;
        Assert.Throws<InvalidDataException>(() => TestModule.Engine.Read("small", stored));
    }

    [Fact]
    public async Task Disposed_program_frees_its_code_after_its_last_run()
    {
        var assembler = new ModuleAssembler();
        var log = assembler.Import("aerodb", "log", assembler.Type([I32, I32, I32], [I32]));
        assembler.Memory(1);
        assembler.Export(
            "_start",
            assembler.Type([], []),
            0,
            [.. Constant(1), .. Constant(0), .. Constant(1), 0x10, (byte)log, 0x1A, 0x03, 0x40, 0x0C, 0, 0x0B, 0x0B]
        );
        var program = await TestModule.CompileAsync(assembler.Build());
        var runs = new TaskCompletionSource();
        var run = TestModule.RunAsync(program, TestModule.Within(500), runs.SetResult);
        await runs.Task;
        program.Dispose();
        Assert.False(program.IsFreed);
        Assert.Equal(RunOutcome.TimedOut, (await run).Result.Outcome);
        Assert.True(program.IsFreed);
        Assert.Equal(RunOutcome.HostError, (await TestModule.RunAsync(program)).Result.Outcome);
    }

    private static async Task ExpectAsync(byte[] module, string start, string answer)
    {
        var (program, stored, info) = await TestModule.Engine.CompileAsync("state", module, GuestLimits.Default);
        Assert.Equal(start, JsonDocument.Parse(info).RootElement.GetProperty("start").GetString());
        using (program)
        {
            for (var run = 0; run < 2; run++)
                Assert.Equal(answer, (await TestModule.RunAsync(program)).Answer);
        }
        using var read = TestModule.Engine.Read("state", stored);
        Assert.Equal(answer, (await TestModule.RunAsync(read)).Answer);
    }
}
