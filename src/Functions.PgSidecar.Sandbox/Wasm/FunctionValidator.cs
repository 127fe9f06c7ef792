using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Reads a function's instructions and validates each one as it comes (sections 5.4 and 3.3).</summary>
internal sealed partial class FunctionValidator(ModuleDraft module)
{
    private readonly OperandTypes stack = new();
    private readonly List<Instruction> instructions = [];
    private ImmutableArray<ValueType> parameters;
    private ImmutableArray<ValueType> locals;

    public Instruction[] Read(ref ByteReader reader, FunctionType type, ImmutableArray<ValueType> declaredLocals)
    {
        parameters = type.Parameters;
        locals = declaredLocals;
        instructions.Clear();
        stack.Reset();
        stack.Enter(ref reader, Opcode.Nop, new FunctionType([], type.Results));
        while (stack.Depth > 0)
            instructions.Add(ReadOne(ref reader));
        return [.. instructions];
    }

    private Instruction ReadOne(ref ByteReader reader)
    {
        var opcode = (Opcode)reader.Byte();
        if (opcode == (Opcode)0xFC)
            opcode = ReadPrefixed(ref reader, 0xFC00);
        else if (opcode == (Opcode)0xFD)
            return Vector(ref reader, ReadPrefixed(ref reader, 0xFD00));

        if (OpcodeTable.TryGetNumeric(opcode, out var signature))
        {
            for (var operand = 0; operand < signature.Arity; operand++)
                stack.Pop(ref reader, signature.Operand);
            stack.Push(ref reader, signature.Result);
            return new Instruction { Opcode = opcode };
        }

        if (OpcodeTable.TryGetMemoryAccess(opcode, out var access))
            return MemoryAccess(ref reader, opcode, access);
        return opcode switch
        {
            <= Opcode.ReturnCallIndirect => Control(ref reader, opcode),
            >= Opcode.LocalGet and <= Opcode.GlobalSet => Variable(ref reader, opcode),
            >= Opcode.I32Const and <= Opcode.F64Const => Constant(ref reader, opcode),
            _ => Other(ref reader, opcode),
        };
    }

    /// <summary>The second number of an instruction behind a prefix.</summary>
    public static Opcode ReadPrefixed(ref ByteReader reader, int prefix)
    {
        var number = reader.U32();
        if (number > 0xFF)
            reader.Fail($"illegal opcode {prefix >> 8:x2} {number:x}");
        return (Opcode)(prefix | (int)number);
    }

    private Instruction MemoryAccess(ref ByteReader reader, Opcode opcode, MemoryAccess access)
    {
        var offset = ReadMemoryArgument(ref reader, access.Bytes);
        if (access.IsStore)
            stack.Pop(ref reader, access.Type);
        stack.Pop(ref reader, ValueType.I32);
        if (!access.IsStore)
            stack.Push(ref reader, access.Type);
        return new Instruction { Opcode = opcode, Immediate = offset };
    }

    /// <summary>Reads the alignment, which means nothing here, and the offset of an access to so many bytes.</summary>
    private uint ReadMemoryArgument(ref ByteReader reader, int bytes)
    {
        var alignment = reader.U32();
        module.RequireMemory(ref reader);
        if (alignment >= 32 || 1u << (int)alignment > (uint)bytes)
            reader.Fail("alignment must not be larger than natural");
        return reader.U32();
    }

    private Instruction Variable(ref ByteReader reader, Opcode opcode)
    {
        if (opcode >= Opcode.GlobalGet)
            return GlobalAccess(ref reader, opcode);
        var index = ModuleDraft.ReadIndex(ref reader, parameters.Length + locals.Length, "unknown local");
        var type = index < parameters.Length ? parameters[index] : locals[index - parameters.Length];
        if (opcode != Opcode.LocalGet)
            stack.Pop(ref reader, type);
        if (opcode != Opcode.LocalSet)
            stack.Push(ref reader, type);
        return new Instruction { Opcode = opcode, Index = index };
    }

    private Instruction GlobalAccess(ref ByteReader reader, Opcode opcode)
    {
        var index = module.ReadGlobalIndex(ref reader);
        var type = module.GlobalTypes[index];
        if (opcode == Opcode.GlobalGet)
        {
            stack.Push(ref reader, type.Value);
        }
        else
        {
            if (!type.IsMutable)
                reader.Fail("global is immutable");
            stack.Pop(ref reader, type.Value);
        }

        return new Instruction { Opcode = opcode, Index = index };
    }

    private Instruction Constant(ref ByteReader reader, Opcode opcode)
    {
        var (type, bits) = opcode switch
        {
            Opcode.I32Const => (ValueType.I32, (uint)reader.S32()),
            Opcode.I64Const => (ValueType.I64, (ulong)reader.S64()),
            Opcode.F32Const => (ValueType.F32, reader.Bits32()),
            _ => (ValueType.F64, reader.Bits64()),
        };
        stack.Push(ref reader, type);
        return new Instruction { Opcode = opcode, Immediate = bits };
    }
}
