using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Control instructions: blocks, branches and calls.</summary>
internal sealed partial class FunctionValidator
{
    private Instruction Control(ref ByteReader reader, Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.Unreachable:
                stack.SetUnreachable();
                return new Instruction { Opcode = opcode };
            case Opcode.Nop:
                return new Instruction { Opcode = opcode };
            case Opcode.Block or Opcode.Loop or Opcode.If:
                return EnterBlock(ref reader, opcode);
            case Opcode.Else:
                return EnterElse(ref reader);
            case Opcode.End:
                return LeaveBlock(ref reader);
            case Opcode.Br or Opcode.BrIf:
                return Branch(ref reader, opcode);
            case Opcode.BrTable:
                return BranchTable(ref reader);
            case Opcode.Return:
                stack.Pop(ref reader, stack.Function.Type.Results);
                stack.SetUnreachable();
                return new Instruction { Opcode = opcode };
            case Opcode.Call or Opcode.CallIndirect or Opcode.ReturnCall or Opcode.ReturnCallIndirect:
                return Call(ref reader, opcode);
            default:
                reader.Fail($"illegal opcode {(int)opcode:x2}");
                return default;
        }
    }

    private Instruction EnterBlock(ref ByteReader reader, Opcode opcode)
    {
        if (opcode == Opcode.If)
            stack.Pop(ref reader, ValueType.I32);
        var index = ReadBlockType(ref reader);
        var type = BlockTypes.Of(index, module.Types);
        stack.Pop(ref reader, type.Parameters);
        stack.Enter(ref reader, opcode, type);
        return new Instruction { Opcode = opcode, Index = index };
    }

    private int ReadBlockType(ref ByteReader reader)
    {
        var first = reader.Peek();
        if (first == 0x40 || ModuleDraft.IsValueType(first))
        {
            reader.Skip(1);
            return first == 0x40 ? Instruction.EmptyBlock : -first;
        }

        var index = reader.S33();
        if (index < 0)
            reader.Fail("malformed block type");
        module.TypeAt(ref reader, (uint)index);
        return (int)index;
    }

    private Instruction EnterElse(ref ByteReader reader)
    {
        var frame = stack.Leave(ref reader);
        if (frame.Opcode != Opcode.If)
            reader.Fail("else without if");
        stack.Enter(ref reader, Opcode.Else, frame.Type);
        return new Instruction { Opcode = Opcode.Else };
    }

    private Instruction LeaveBlock(ref ByteReader reader)
    {
        var frame = stack.Leave(ref reader);
        if (frame.Opcode == Opcode.If && !frame.Type.Parameters.AsSpan().SequenceEqual(frame.Type.Results.AsSpan()))
            reader.Fail("type mismatch: an if without else must return what it takes");
        if (stack.Depth > 0)
            stack.Push(ref reader, frame.Type.Results);
        return new Instruction { Opcode = Opcode.End };
    }

    private Instruction Branch(ref ByteReader reader, Opcode opcode)
    {
        var depth = reader.U32();
        if (opcode == Opcode.BrIf)
            stack.Pop(ref reader, ValueType.I32);
        var types = stack.Label(ref reader, depth).LabelTypes;
        stack.Pop(ref reader, types);
        if (opcode == Opcode.BrIf)
            stack.Push(ref reader, types);
        else
            stack.SetUnreachable();
        return new Instruction { Opcode = opcode, Index = (int)depth };
    }

    private Instruction BranchTable(ref ByteReader reader)
    {
        var targets = new int[reader.Count(WasmLimits.BranchTableTargets, "branch table targets") + 1];
        for (var index = 0; index < targets.Length; index++)
            targets[index] = (int)reader.U32();
        stack.Pop(ref reader, ValueType.I32);
        var arity = stack.Label(ref reader, (uint)targets[^1]).LabelTypes.Length;
        foreach (var target in targets)
        {
            var types = stack.Label(ref reader, (uint)target).LabelTypes;
            if (types.Length != arity)
                reader.Fail("type mismatch: branch table targets of different arity");
            CheckTop(ref reader, types);
        }

        stack.Pop(ref reader, stack.Label(ref reader, (uint)targets[^1]).LabelTypes);
        stack.SetUnreachable();
        return new Instruction { Opcode = Opcode.BrTable, Numbers = targets };
    }

    /// <summary>Checks that the stack's top has these types, and puts back what was there: it may be more general in unreachable code.</summary>
    private void CheckTop(ref ByteReader reader, ImmutableArray<ValueType> types)
    {
        var found = new ValueType[types.Length];
        for (var index = types.Length - 1; index >= 0; index--)
            found[index] = stack.Pop(ref reader, types[index]);
        foreach (var type in found)
            stack.Push(ref reader, type);
    }

    private Instruction Call(ref ByteReader reader, Opcode opcode)
    {
        var table = 0;
        int index;
        FunctionType type;
        if (opcode is Opcode.Call or Opcode.ReturnCall)
        {
            index = module.ReadFunctionIndex(ref reader);
            type = module.FunctionTypes[index];
        }
        else
        {
            index = ModuleDraft.ReadIndex(ref reader, module.Types.Count, "unknown type");
            type = module.Types[index];
            table = module.ReadTableIndex(ref reader);
            if (module.TableTypes[table].Element != ValueType.FuncRef)
                reader.Fail("type mismatch: call_indirect needs a table of functions");
            stack.Pop(ref reader, ValueType.I32);
        }

        stack.Pop(ref reader, type.Parameters);
        if (opcode is Opcode.Call or Opcode.CallIndirect)
            stack.Push(ref reader, type.Results);
        else
            LeaveFunction(ref reader, type);
        return new Instruction { Opcode = opcode, Index = index, Index2 = table };
    }

    /// <summary>A tail call returns what its callee returns, so that must be what the function returns.</summary>
    private void LeaveFunction(ref ByteReader reader, FunctionType callee)
    {
        if (!callee.Results.AsSpan().SequenceEqual(stack.Function.Type.Results.AsSpan()))
            reader.Fail("type mismatch: a tail call must return what the function returns");
        stack.SetUnreachable();
    }
}
