namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Vector instructions.</summary>
internal sealed partial class FunctionValidator
{
    private Instruction Vector(ref ByteReader reader, Opcode opcode)
    {
        var shape = VectorOpcodes.ShapeOf(opcode);
        switch (shape)
        {
            case VectorShape.Unary or VectorShape.Binary or VectorShape.Ternary:
                for (var operand = VectorShape.Unary; operand <= shape; operand++)
                    stack.Pop(ref reader, ValueType.V128);
                stack.Push(ref reader, ValueType.V128);
                return new Instruction { Opcode = opcode };
            case VectorShape.Shift:
                stack.Pop(ref reader, ValueType.I32);
                return Convert(ref reader, opcode, ValueType.V128, ValueType.V128);
            case VectorShape.Test:
                return Convert(ref reader, opcode, ValueType.V128, ValueType.I32);
            case VectorShape.Splat:
                return Convert(ref reader, opcode, VectorOpcodes.NumberOf(opcode), ValueType.V128);
            case VectorShape.Extract:
                return Convert(ref reader, opcode, ValueType.V128, VectorOpcodes.NumberOf(opcode), ReadLane(ref reader, VectorOpcodes.LanesOf(opcode)));
            case VectorShape.Replace:
                var lane = ReadLane(ref reader, VectorOpcodes.LanesOf(opcode));
                stack.Pop(ref reader, VectorOpcodes.NumberOf(opcode));
                return Convert(ref reader, opcode, ValueType.V128, ValueType.V128, lane);
            case VectorShape.Shuffle:
                return Shuffle(ref reader);
            case VectorShape.Constant:
                stack.Push(ref reader, ValueType.V128);
                return VectorConstant(ref reader);
            case VectorShape.None:
                reader.Fail($"illegal opcode fd {(int)opcode & 0xFF:x2}");
                return default;
            default:
                return VectorAccess(ref reader, opcode, shape);
        }
    }

    /// <summary>Reads the sixteen bytes of <c>v128.const</c>.</summary>
    public static Instruction VectorConstant(ref ByteReader reader) => new()
    {
        Opcode = Opcode.V128Const,
        Numbers = [(int)reader.Bits32(), (int)reader.Bits32(), (int)reader.Bits32(), (int)reader.Bits32()],
    };

    private Instruction Convert(ref ByteReader reader, Opcode opcode, ValueType from, ValueType to, int lane = 0)
    {
        stack.Pop(ref reader, from);
        stack.Push(ref reader, to);
        return new Instruction { Opcode = opcode, Index = lane };
    }

    private Instruction Shuffle(ref ByteReader reader)
    {
        var lanes = new int[16];
        for (var index = 0; index < lanes.Length; index++)
            lanes[index] = ReadLane(ref reader, 32);
        stack.Pop(ref reader, ValueType.V128);
        stack.Pop(ref reader, ValueType.V128);
        stack.Push(ref reader, ValueType.V128);
        return new Instruction { Opcode = Opcode.I8x16Shuffle, Numbers = lanes };
    }

    private Instruction VectorAccess(ref ByteReader reader, Opcode opcode, VectorShape shape)
    {
        var offset = ReadMemoryArgument(ref reader, VectorOpcodes.BytesOf(opcode));
        var lane = shape is VectorShape.LoadLane or VectorShape.StoreLane ? ReadLane(ref reader, VectorOpcodes.LanesOf(opcode)) : 0;
        if (shape != VectorShape.Load)
            stack.Pop(ref reader, ValueType.V128);
        stack.Pop(ref reader, ValueType.I32);
        if (shape is VectorShape.Load or VectorShape.LoadLane)
            stack.Push(ref reader, ValueType.V128);
        return new Instruction { Opcode = opcode, Immediate = offset, Index = lane };
    }

    private static int ReadLane(ref ByteReader reader, int lanes)
    {
        var lane = reader.Byte();
        if (lane >= lanes)
            reader.Fail("invalid lane index");
        return lane;
    }
}
