using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>What an import or export is, numbered as in the binary format.</summary>
public enum ExternalKind : byte
{
    Function = 0,
    Table = 1,
    Memory = 2,
    Global = 3,
}

/// <summary>A table's element type and size in elements; <paramref name="Maximum"/> null when there is none.</summary>
public sealed record TableType(ValueType Element, uint Minimum, uint? Maximum);

/// <summary>A memory's size in 64 KiB pages; <paramref name="Maximum"/> null when there is none.</summary>
public sealed record MemoryType(uint Minimum, uint? Maximum);

/// <summary>A global's type.</summary>
public sealed record GlobalType(ValueType Value, bool IsMutable);

/// <summary>An import; the member that belongs to its kind is set.</summary>
public sealed record Import(string Module, string Name, ExternalKind Kind)
{
    public FunctionType? Function { get; init; }

    public TableType? Table { get; init; }

    public MemoryType? Memory { get; init; }

    public GlobalType? Global { get; init; }
}

/// <summary>An export: the index is into the index space of its kind, imports first.</summary>
public sealed record Export(string Name, ExternalKind Kind, int Index);

/// <summary>How a segment comes into its table or memory.</summary>
internal enum SegmentMode
{
    Active,
    Passive,
    Declarative,
}

/// <summary>A global the module defines.</summary>
internal sealed record Global(GlobalType Type, ConstantExpression Initial);

/// <summary>An element segment; <paramref name="Offset"/> is set when it is active.</summary>
internal sealed record ElementSegment(
    SegmentMode Mode, int Table, ConstantExpression? Offset, ValueType Type, ImmutableArray<ConstantExpression> Elements);

/// <summary>A data segment; <paramref name="Offset"/> is set when it is active.</summary>
internal sealed record DataSegment(SegmentMode Mode, ConstantExpression? Offset, ReadOnlyMemory<byte> Bytes);

/// <summary>The body of a function the module defines.</summary>
internal sealed record FunctionBody(int TypeIndex, FunctionType Type, ImmutableArray<ValueType> Locals, Instruction[] Instructions);

/// <summary>The <c>dylink.0</c> section of a side module: the room it needs. Alignments are powers of two, as exponents.</summary>
internal sealed record DylinkInfo(uint MemorySize, int MemoryAlignment, uint TableSize, int TableAlignment);
