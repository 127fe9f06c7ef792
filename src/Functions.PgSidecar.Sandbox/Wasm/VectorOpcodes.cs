namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>What a vector instruction takes and gives.</summary>
internal enum VectorShape
{
    /// <summary>No vector instruction at all.</summary>
    None,

    /// <summary>A vector from a vector.</summary>
    Unary,

    /// <summary>A vector from two vectors.</summary>
    Binary,

    /// <summary>A vector from three vectors.</summary>
    Ternary,

    /// <summary>A vector from a vector and a count.</summary>
    Shift,

    /// <summary>An i32 from a vector.</summary>
    Test,

    /// <summary>A vector from a number.</summary>
    Splat,

    /// <summary>A number from a vector and the lane that the instruction names.</summary>
    Extract,

    /// <summary>A vector from a vector, a number, and the lane that the instruction names.</summary>
    Replace,

    /// <summary>A vector from two vectors and the sixteen lanes that the instruction names.</summary>
    Shuffle,

    /// <summary>The vector that the instruction names.</summary>
    Constant,

    /// <summary>A vector from an address.</summary>
    Load,

    /// <summary>An address and a vector, gone to memory.</summary>
    Store,

    /// <summary>A vector from an address, a vector and a lane.</summary>
    LoadLane,

    /// <summary>One lane of a vector, gone to an address.</summary>
    StoreLane,
}

/// <summary>The shapes of the vector instructions (section 3.3.3).</summary>
internal static class VectorOpcodes
{
    /// <summary>The values <see cref="Opcode"/> has no name for are no instructions.</summary>
    public static VectorShape ShapeOf(Opcode opcode) => opcode switch
    {
        < Opcode.V128Load => VectorShape.None,
        Opcode.V128Store => VectorShape.Store,
        Opcode.V128Const => VectorShape.Constant,
        Opcode.I8x16Shuffle => VectorShape.Shuffle,
        <= Opcode.V128Load64Splat or Opcode.V128Load32Zero or Opcode.V128Load64Zero => VectorShape.Load,
        >= Opcode.V128Load8Lane and <= Opcode.V128Load64Lane => VectorShape.LoadLane,
        >= Opcode.V128Store8Lane and <= Opcode.V128Store64Lane => VectorShape.StoreLane,
        >= Opcode.I8x16Splat and <= Opcode.F64x2Splat => VectorShape.Splat,
        >= Opcode.I8x16ExtractLaneS and <= Opcode.F64x2ReplaceLane => IsReplace(opcode) ? VectorShape.Replace : VectorShape.Extract,
        Opcode.V128Bitselect => VectorShape.Ternary,
        Opcode.V128AnyTrue
            or Opcode.I8x16AllTrue or Opcode.I16x8AllTrue or Opcode.I32x4AllTrue or Opcode.I64x2AllTrue
            or Opcode.I8x16Bitmask or Opcode.I16x8Bitmask or Opcode.I32x4Bitmask or Opcode.I64x2Bitmask => VectorShape.Test,
        (>= Opcode.I8x16Shl and <= Opcode.I8x16ShrU) or (>= Opcode.I16x8Shl and <= Opcode.I16x8ShrU)
            or (>= Opcode.I32x4Shl and <= Opcode.I32x4ShrU) or (>= Opcode.I64x2Shl and <= Opcode.I64x2ShrU) => VectorShape.Shift,
        _ when IsUnary(opcode) => VectorShape.Unary,
        _ => Enum.IsDefined(opcode) ? VectorShape.Binary : VectorShape.None,
    };

    /// <summary>The number that a splat, an extraction or a replacement takes or gives.</summary>
    public static ValueType NumberOf(Opcode opcode) => opcode switch
    {
        Opcode.I64x2Splat or Opcode.I64x2ExtractLane or Opcode.I64x2ReplaceLane => ValueType.I64,
        Opcode.F32x4Splat or Opcode.F32x4ExtractLane or Opcode.F32x4ReplaceLane => ValueType.F32,
        Opcode.F64x2Splat or Opcode.F64x2ExtractLane or Opcode.F64x2ReplaceLane => ValueType.F64,
        _ => ValueType.I32,
    };

    /// <summary>How many lanes the instruction can name.</summary>
    public static int LanesOf(Opcode opcode) => opcode switch
    {
        (>= Opcode.I8x16ExtractLaneS and <= Opcode.I8x16ReplaceLane) or Opcode.V128Load8Lane or Opcode.V128Store8Lane => 16,
        (>= Opcode.I16x8ExtractLaneS and <= Opcode.I16x8ReplaceLane) or Opcode.V128Load16Lane or Opcode.V128Store16Lane => 8,
        Opcode.I32x4ExtractLane or Opcode.I32x4ReplaceLane or Opcode.F32x4ExtractLane or Opcode.F32x4ReplaceLane
            or Opcode.V128Load32Lane or Opcode.V128Store32Lane => 4,
        _ => 2,
    };

    /// <summary>How many bytes of memory a load or store touches.</summary>
    public static int BytesOf(Opcode opcode) => opcode switch
    {
        Opcode.V128Load or Opcode.V128Store => 16,
        Opcode.V128Load8Splat or Opcode.V128Load8Lane or Opcode.V128Store8Lane => 1,
        Opcode.V128Load16Splat or Opcode.V128Load16Lane or Opcode.V128Store16Lane => 2,
        Opcode.V128Load32Splat or Opcode.V128Load32Zero or Opcode.V128Load32Lane or Opcode.V128Store32Lane => 4,
        _ => 8,
    };

    /// <summary>Whether the instruction needs linear memory.</summary>
    public static bool IsMemoryAccess(Opcode opcode) => ShapeOf(opcode) is VectorShape.Load or VectorShape.Store or VectorShape.LoadLane or VectorShape.StoreLane;

    private static bool IsReplace(Opcode opcode) => opcode is Opcode.I8x16ReplaceLane or Opcode.I16x8ReplaceLane
        or Opcode.I32x4ReplaceLane or Opcode.I64x2ReplaceLane or Opcode.F32x4ReplaceLane or Opcode.F64x2ReplaceLane;

    private static bool IsUnary(Opcode opcode) => opcode is Opcode.V128Not
        or (>= Opcode.F32x4DemoteF64x2Zero and <= Opcode.I8x16Popcnt)
        or (>= Opcode.F32x4Ceil and <= Opcode.F32x4Nearest)
        or Opcode.F64x2Ceil or Opcode.F64x2Floor or Opcode.F64x2Trunc or Opcode.F64x2Nearest
        or (>= Opcode.I16x8ExtAddPairwiseI8x16S and <= Opcode.I16x8Neg)
        or (>= Opcode.I16x8ExtendLowI8x16S and <= Opcode.I16x8ExtendHighI8x16U)
        or Opcode.I32x4Abs or Opcode.I32x4Neg
        or (>= Opcode.I32x4ExtendLowI16x8S and <= Opcode.I32x4ExtendHighI16x8U)
        or Opcode.I64x2Abs or Opcode.I64x2Neg
        or (>= Opcode.I64x2ExtendLowI32x4S and <= Opcode.I64x2ExtendHighI32x4U)
        or Opcode.F32x4Abs or Opcode.F32x4Neg or Opcode.F32x4Sqrt
        or Opcode.F64x2Abs or Opcode.F64x2Neg or Opcode.F64x2Sqrt
        or (>= Opcode.I32x4TruncSatF32x4S and <= Opcode.F64x2ConvertLowI32x4U);
}
