namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>What a numeric instruction takes (<paramref name="Arity"/> operands of one type) and gives.</summary>
internal readonly record struct NumericSignature(ValueType Operand, int Arity, ValueType Result);

/// <summary>What a load or store moves: a value of a type, through so many bytes.</summary>
internal readonly record struct MemoryAccess(ValueType Type, int Bytes, bool IsStore);

/// <summary>The shapes of the instructions that are regular enough for a table.</summary>
internal static class OpcodeTable
{
    public static bool TryGetNumeric(Opcode opcode, out NumericSignature signature)
    {
        signature = opcode switch
        {
            Opcode.I32Eqz => Unary(ValueType.I32, ValueType.I32),
            >= Opcode.I32Eq and <= Opcode.I32GeU => Binary(ValueType.I32, ValueType.I32),
            Opcode.I64Eqz => Unary(ValueType.I64, ValueType.I32),
            >= Opcode.I64Eq and <= Opcode.I64GeU => Binary(ValueType.I64, ValueType.I32),
            >= Opcode.F32Eq and <= Opcode.F32Ge => Binary(ValueType.F32, ValueType.I32),
            >= Opcode.F64Eq and <= Opcode.F64Ge => Binary(ValueType.F64, ValueType.I32),
            >= Opcode.I32Clz and <= Opcode.I32Popcnt => Unary(ValueType.I32, ValueType.I32),
            >= Opcode.I32Add and <= Opcode.I32Rotr => Binary(ValueType.I32, ValueType.I32),
            >= Opcode.I64Clz and <= Opcode.I64Popcnt => Unary(ValueType.I64, ValueType.I64),
            >= Opcode.I64Add and <= Opcode.I64Rotr => Binary(ValueType.I64, ValueType.I64),
            >= Opcode.F32Abs and <= Opcode.F32Sqrt => Unary(ValueType.F32, ValueType.F32),
            >= Opcode.F32Add and <= Opcode.F32Copysign => Binary(ValueType.F32, ValueType.F32),
            >= Opcode.F64Abs and <= Opcode.F64Sqrt => Unary(ValueType.F64, ValueType.F64),
            >= Opcode.F64Add and <= Opcode.F64Copysign => Binary(ValueType.F64, ValueType.F64),
            _ => Conversion(opcode),
        };
        return signature.Arity != 0;
    }

    private static NumericSignature Conversion(Opcode opcode) => opcode switch
    {
        Opcode.I32WrapI64 => Unary(ValueType.I64, ValueType.I32),
        Opcode.I32TruncF32S or Opcode.I32TruncF32U or Opcode.I32TruncSatF32S or Opcode.I32TruncSatF32U => Unary(ValueType.F32, ValueType.I32),
        Opcode.I32TruncF64S or Opcode.I32TruncF64U or Opcode.I32TruncSatF64S or Opcode.I32TruncSatF64U => Unary(ValueType.F64, ValueType.I32),
        Opcode.I64ExtendI32S or Opcode.I64ExtendI32U => Unary(ValueType.I32, ValueType.I64),
        Opcode.I64TruncF32S or Opcode.I64TruncF32U or Opcode.I64TruncSatF32S or Opcode.I64TruncSatF32U => Unary(ValueType.F32, ValueType.I64),
        Opcode.I64TruncF64S or Opcode.I64TruncF64U or Opcode.I64TruncSatF64S or Opcode.I64TruncSatF64U => Unary(ValueType.F64, ValueType.I64),
        Opcode.F32ConvertI32S or Opcode.F32ConvertI32U or Opcode.F32ReinterpretI32 => Unary(ValueType.I32, ValueType.F32),
        Opcode.F32ConvertI64S or Opcode.F32ConvertI64U => Unary(ValueType.I64, ValueType.F32),
        Opcode.F32DemoteF64 => Unary(ValueType.F64, ValueType.F32),
        Opcode.F64ConvertI32S or Opcode.F64ConvertI32U => Unary(ValueType.I32, ValueType.F64),
        Opcode.F64ConvertI64S or Opcode.F64ConvertI64U or Opcode.F64ReinterpretI64 => Unary(ValueType.I64, ValueType.F64),
        Opcode.F64PromoteF32 => Unary(ValueType.F32, ValueType.F64),
        Opcode.I32ReinterpretF32 => Unary(ValueType.F32, ValueType.I32),
        Opcode.I64ReinterpretF64 => Unary(ValueType.F64, ValueType.I64),
        Opcode.I32Extend8S or Opcode.I32Extend16S => Unary(ValueType.I32, ValueType.I32),
        Opcode.I64Extend8S or Opcode.I64Extend16S or Opcode.I64Extend32S => Unary(ValueType.I64, ValueType.I64),
        _ => default,
    };

    public static bool TryGetMemoryAccess(Opcode opcode, out MemoryAccess access)
    {
        access = opcode switch
        {
            Opcode.I32Load => new(ValueType.I32, 4, false),
            Opcode.I64Load => new(ValueType.I64, 8, false),
            Opcode.F32Load => new(ValueType.F32, 4, false),
            Opcode.F64Load => new(ValueType.F64, 8, false),
            Opcode.I32Load8S or Opcode.I32Load8U => new(ValueType.I32, 1, false),
            Opcode.I32Load16S or Opcode.I32Load16U => new(ValueType.I32, 2, false),
            Opcode.I64Load8S or Opcode.I64Load8U => new(ValueType.I64, 1, false),
            Opcode.I64Load16S or Opcode.I64Load16U => new(ValueType.I64, 2, false),
            Opcode.I64Load32S or Opcode.I64Load32U => new(ValueType.I64, 4, false),
            Opcode.I32Store => new(ValueType.I32, 4, true),
            Opcode.I64Store => new(ValueType.I64, 8, true),
            Opcode.F32Store => new(ValueType.F32, 4, true),
            Opcode.F64Store => new(ValueType.F64, 8, true),
            Opcode.I32Store8 => new(ValueType.I32, 1, true),
            Opcode.I32Store16 => new(ValueType.I32, 2, true),
            Opcode.I64Store8 => new(ValueType.I64, 1, true),
            Opcode.I64Store16 => new(ValueType.I64, 2, true),
            Opcode.I64Store32 => new(ValueType.I64, 4, true),
            _ => default,
        };
        return access.Bytes != 0;
    }

    /// <summary>Whether the instruction reads or writes linear memory through an address it takes.</summary>
    public static bool IsMemoryAccess(Opcode opcode) =>
        opcode is >= Opcode.I32Load and <= Opcode.I64Store32 || (opcode >= Opcode.V128Load && VectorOpcodes.IsMemoryAccess(opcode));

    private static NumericSignature Unary(ValueType operand, ValueType result) => new(operand, 1, result);

    private static NumericSignature Binary(ValueType operand, ValueType result) => new(operand, 2, result);
}
