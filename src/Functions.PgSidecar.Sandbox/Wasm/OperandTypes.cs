using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>The two stacks of the validation algorithm (the specification's appendix "Validation Algorithm"): operand types and control frames.</summary>
internal sealed class OperandTypes
{
    private readonly List<ValueType> operands = [];
    private readonly List<Frame> frames = [];

    public int Depth => frames.Count;

    public void Reset()
    {
        operands.Clear();
        frames.Clear();
    }

    public void Push(ref ByteReader reader, ValueType type)
    {
        if (operands.Count == WasmLimits.OperandStack)
            reader.Fail($"operand stack too high: the limit is {WasmLimits.OperandStack} values");
        operands.Add(type);
    }

    public void Push(ref ByteReader reader, ImmutableArray<ValueType> types)
    {
        foreach (var type in types)
            Push(ref reader, type);
    }

    public ValueType Pop(ref ByteReader reader)
    {
        var frame = frames[^1];
        if (operands.Count == frame.Height)
        {
            if (!frame.Unreachable)
                reader.Fail("type mismatch: nothing on the stack");
            return ValueType.Unknown;
        }

        var type = operands[^1];
        operands.RemoveAt(operands.Count - 1);
        return type;
    }

    public ValueType Pop(ref ByteReader reader, ValueType expected)
    {
        var found = Pop(ref reader);
        if (found != expected && found != ValueType.Unknown && expected != ValueType.Unknown)
            reader.Fail($"type mismatch: expected {expected}, found {found}");
        return found;
    }

    public void Pop(ref ByteReader reader, ImmutableArray<ValueType> types)
    {
        for (var index = types.Length - 1; index >= 0; index--)
            Pop(ref reader, types[index]);
    }

    public void Enter(ref ByteReader reader, Opcode opcode, FunctionType type)
    {
        if (frames.Count > WasmLimits.Nesting)
            reader.Fail($"blocks nested too deeply: the limit is {WasmLimits.Nesting}");
        frames.Add(new Frame(opcode, type, operands.Count));
        Push(ref reader, type.Parameters);
    }

    /// <summary>Closes the innermost frame: exactly its results must be on the stack.</summary>
    public Frame Leave(ref ByteReader reader)
    {
        var frame = frames[^1];
        Pop(ref reader, frame.Type.Results);
        if (operands.Count != frame.Height)
            reader.Fail("type mismatch: values left on the stack");
        frames.RemoveAt(frames.Count - 1);
        return frame;
    }

    public Frame Label(ref ByteReader reader, uint depth)
    {
        if (depth >= (uint)frames.Count)
            reader.Fail("unknown label");
        return frames[frames.Count - 1 - (int)depth];
    }

    public Frame Function => frames[0];

    public void SetUnreachable()
    {
        var frame = frames[^1];
        operands.RemoveRange(frame.Height, operands.Count - frame.Height);
        frame.Unreachable = true;
    }

    /// <summary>A block, or the function itself (then the opcode is <see cref="Opcode.Nop"/>).</summary>
    internal sealed class Frame(Opcode opcode, FunctionType type, int height)
    {
        public Opcode Opcode { get; } = opcode;

        public FunctionType Type { get; } = type;

        public int Height { get; } = height;

        public bool Unreachable { get; set; }

        /// <summary>What a branch to this frame must carry: a loop's parameters, any other block's results.</summary>
        public ImmutableArray<ValueType> LabelTypes => Opcode == Opcode.Loop ? Type.Parameters : Type.Results;
    }
}
