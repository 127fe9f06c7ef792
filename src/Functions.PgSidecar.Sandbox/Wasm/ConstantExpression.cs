namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>A validated constant expression (section 3.3.10, with the extended-const instructions), without its final <c>end</c>.</summary>
internal sealed class ConstantExpression(Instruction[] instructions)
{
    public ReadOnlySpan<Instruction> Instructions => instructions;

    /// <summary>Reads an expression that must give one value of the given type.</summary>
    public static ConstantExpression Read(ref ByteReader reader, ModuleDraft module, ValueType expected)
    {
        var instructions = new List<Instruction>();
        var stack = new Stack<ValueType>();
        while (true)
        {
            var opcode = (Opcode)reader.Byte();
            if (opcode == Opcode.End)
                break;
            if (instructions.Count == WasmLimits.ConstantInstructions)
                reader.Fail("constant expression too long");
            instructions.Add(ReadOne(ref reader, module, opcode, stack));
        }

        if (stack.Count != 1 || stack.Peek() != expected)
            reader.Fail("type mismatch");
        return new ConstantExpression([.. instructions]);
    }

    private static Instruction ReadOne(ref ByteReader reader, ModuleDraft module, Opcode opcode, Stack<ValueType> stack)
    {
        switch (opcode)
        {
            case Opcode.I32Const:
                stack.Push(ValueType.I32);
                return new Instruction { Opcode = opcode, Immediate = (uint)reader.S32() };
            case Opcode.I64Const:
                stack.Push(ValueType.I64);
                return new Instruction { Opcode = opcode, Immediate = (ulong)reader.S64() };
            case Opcode.F32Const:
                stack.Push(ValueType.F32);
                return new Instruction { Opcode = opcode, Immediate = reader.Bits32() };
            case Opcode.F64Const:
                stack.Push(ValueType.F64);
                return new Instruction { Opcode = opcode, Immediate = reader.Bits64() };
            case (Opcode)0xFD:
                if (FunctionValidator.ReadPrefixed(ref reader, 0xFD00) != Opcode.V128Const)
                    reader.Fail("constant expression required");
                stack.Push(ValueType.V128);
                return FunctionValidator.VectorConstant(ref reader);
            case Opcode.RefNull:
                var type = ModuleDraft.ReadReferenceType(ref reader);
                stack.Push(type);
                return new Instruction { Opcode = opcode, Index = (int)type };
            case Opcode.RefFunc:
                var function = module.ReadFunctionIndex(ref reader);
                module.DeclareReference(function);
                stack.Push(ValueType.FuncRef);
                return new Instruction { Opcode = opcode, Index = function };
            case Opcode.GlobalGet:
                return ReadGlobal(ref reader, module, stack);
            case Opcode.I32Add or Opcode.I32Sub or Opcode.I32Mul:
                return ReadArithmetic(ref reader, opcode, ValueType.I32, stack);
            case Opcode.I64Add or Opcode.I64Sub or Opcode.I64Mul:
                return ReadArithmetic(ref reader, opcode, ValueType.I64, stack);
            default:
                reader.Fail(Enum.IsDefined(opcode) ? "constant expression required" : "illegal opcode");
                return default;
        }
    }

    private static Instruction ReadGlobal(ref ByteReader reader, ModuleDraft module, Stack<ValueType> stack)
    {
        var index = reader.U32();
        if (index >= (uint)module.ImportedGlobals)
            reader.Fail(index < (uint)module.GlobalTypes.Count ? "constant expression required: only imported globals" : "unknown global");
        var type = module.GlobalTypes[(int)index];
        if (type.IsMutable)
            reader.Fail("constant expression required");
        stack.Push(type.Value);
        return new Instruction { Opcode = Opcode.GlobalGet, Index = (int)index };
    }

    private static Instruction ReadArithmetic(ref ByteReader reader, Opcode opcode, ValueType type, Stack<ValueType> stack)
    {
        for (var operand = 0; operand < 2; operand++)
        {
            if (!stack.TryPop(out var found) || found != type)
                reader.Fail("type mismatch");
        }

        stack.Push(type);
        return new Instruction { Opcode = opcode };
    }
}
