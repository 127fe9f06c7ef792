namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>One decoded and validated instruction.</summary>
internal readonly struct Instruction
{
    /// <summary>The block type of a block without parameters and results.</summary>
    public const int EmptyBlock = -64;

    public required Opcode Opcode { get; init; }

    /// <summary>
    /// The first index: label depth, function, type, local, global, table, segment or lane. Of a block: its type's index, or <see cref="EmptyBlock"/>, or
    /// minus the <see cref="ValueType"/> of its one result. Of <c>select</c> with a type and of <c>ref.null</c>: the value type.
    /// </summary>
    public int Index { get; init; }

    /// <summary>The second index: the table of <c>call_indirect</c> and <c>table.init</c>, the source table of <c>table.copy</c>.</summary>
    public int Index2 { get; init; }

    /// <summary>A constant's bits, or the offset of a memory access.</summary>
    public ulong Immediate { get; init; }

    /// <summary>
    /// The label depths of <c>br_table</c>, the default last; the sixteen lanes of <c>i8x16.shuffle</c>; the four words of <c>v128.const</c>, the lowest first.
    /// </summary>
    public int[]? Numbers { get; init; }
}
