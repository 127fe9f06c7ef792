using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Modules that are made to cost the compiler dearly are refused, with the reason and the place.</summary>
public sealed class DecoderLimitTests
{
    [Fact]
    public void Billions_of_locals_in_a_few_bytes_are_refused() =>
        AssertRefused("too many locals", module => module.Function(0, int.MaxValue, 0x0B));

    [Fact]
    public void Blocks_nested_too_deeply_are_refused() => AssertRefused("nested too deeply", module => module.Function(
        0, 0, [.. Enumerable.Repeat((byte[])[0x02, 0x40], 3000).SelectMany(block => block), .. Enumerable.Repeat((byte)0x0B, 3001)]));

    [Fact]
    public void An_endless_branch_table_is_refused() =>
        AssertRefused("too many branch table targets", module => module.Function(0, 0, [.. Constant(0), 0x0E, .. Unsigned(100_000_000), 0, 0x0B]));

    [Fact]
    public void A_table_of_billions_is_refused() => AssertRefused("table too large", module => module.Table(2_000_000_000));

    [Fact]
    public void An_operand_stack_without_end_is_refused() =>
        AssertRefused("operand stack too high", module => module.Function(0, 0, [.. Enumerable.Repeat((byte[])[0x41, 0], 30_000).SelectMany(push => push), 0x0B]));

    [Fact]
    public void A_few_bytes_that_would_become_much_code_are_refused()
    {
        var module = new ModuleAssembler();
        var many = module.Type([.. Enumerable.Repeat(I64, 255)], [.. Enumerable.Repeat(I64, 128)]);
        var callee = module.Import("host", "call", many);
        byte[] arguments = [.. Enumerable.Repeat((byte[])[0x42, 0], 127).SelectMany(push => push)];
        byte[] chain = [.. Enumerable.Repeat((byte[])[.. arguments, 0x10, (byte)callee], 8_000).SelectMany(call => call)];
        byte[] drops = [.. Enumerable.Repeat((byte)0x1A, 128)];
        module.Function(module.Type([], []), 0, [.. arguments, 0x42, 0, .. chain, .. drops, 0x0B]);
        var error = Assert.Throws<WasmFormatException>(() => CompiledImage.Compile(("main", module.Build())));
        Assert.Contains("too complex", error.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(154)]
    [InlineData(256)]
    [InlineData(100_000)]
    public void A_vector_instruction_that_does_not_exist_is_refused_by_number(int number) =>
        AssertRefused("illegal opcode fd", module => module.Function(0, 0, [0xFD, .. Unsigned(number), 0x0B]));

    [Fact]
    public void The_error_tells_where() =>
        Assert.Equal(8, Assert.Throws<WasmFormatException>(() => WasmModule.Decode((byte[])[0, 0x61, 0x73, 0x6D, 1, 0, 0, 0, 99])).Offset - 1);

    [Fact]
    public void A_module_cut_off_anywhere_is_refused()
    {
        var module = new ModuleAssembler().Memory(1).Table(1);
        module.Export("run", module.Type([I32], [I32]), 1, 0x20, 0, 0x0B);
        module.Data(0, 1, 2, 3);
        var bytes = module.Build();
        WasmModule.Decode(bytes);
        // A module may end between two sections; inside one it may not.
        var wholes = 0;
        for (var length = 0; length < bytes.Length; length++)
        {
            try
            {
                WasmModule.Decode(bytes.AsMemory(0, length));
                wholes++;
            }
            catch (WasmFormatException)
            {
            }
        }

        Assert.InRange(wholes, 1, 6);
    }

    [Fact]
    public void Random_bytes_never_break_the_decoder()
    {
        var module = new ModuleAssembler().Memory(1).Table(1);
        module.Export("run", module.Type([I32], [I32]), 1, 0x20, 0, 0x41, 3, 0x6A, 0x0B);
        var bytes = module.Build();
        var random = new Random(1);
        for (var round = 0; round < 20_000; round++)
        {
            var mutated = (byte[])bytes.Clone();
            for (var change = 0; change <= round % 3; change++)
                mutated[random.Next(8, mutated.Length)] = (byte)random.Next(256);
            try
            {
                WasmModule.Decode(mutated);
            }
            catch (WasmFormatException)
            {
            }
        }
    }

    private static void AssertRefused(string reason, Action<ModuleAssembler> build)
    {
        var module = new ModuleAssembler();
        module.Type([], []);
        build(module);
        var error = Assert.Throws<WasmFormatException>(() => WasmModule.Decode(module.Build()));
        Assert.Contains(reason, error.Reason, StringComparison.Ordinal);
    }
}
