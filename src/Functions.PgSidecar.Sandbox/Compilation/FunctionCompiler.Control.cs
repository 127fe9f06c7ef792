using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Blocks, branches, conditions.</summary>
internal sealed partial class FunctionCompiler
{
    private void EmitControl(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.Unreachable:
                stack.Discard();
                cil.Emit(OpCodes.Br, Trap(nameof(CompiledCode.TrapUnreachable)));
                EndReachable();
                break;
            case Opcode.Nop:
                break;
            case Opcode.Block:
                EnterBlock(instruction);
                break;
            case Opcode.Loop:
                EnterLoop(instruction);
                break;
            case Opcode.If:
                EnterIf(instruction, Condition.Plain);
                break;
            case Opcode.Else:
                EnterElse();
                break;
            case Opcode.End:
                LeaveBlock();
                break;
            case Opcode.Br:
                Branch(Frame(instruction.Index));
                EndReachable();
                break;
            case Opcode.BrIf:
                BranchIf(instruction, Condition.Plain);
                break;
            case Opcode.BrTable:
                BranchTable(instruction.Numbers!);
                break;
            case Opcode.Return:
                Branch(frames[0]);
                EndReachable();
                break;
            case Opcode.Call or Opcode.ReturnCall:
                EmitCall(instruction.Index, isTail: instruction.Opcode == Opcode.ReturnCall);
                break;
            default:
                EmitCallIndirect(instruction, isTail: instruction.Opcode == Opcode.ReturnCallIndirect);
                break;
        }
    }

    private ControlFrame Frame(int depth) => frames[frames.Count - 1 - depth];

    private void EndReachable()
    {
        unreachable = true;
        stack.Truncate(frames[^1].Height);
    }

    private void EnterBlock(in Instruction instruction)
    {
        var type = module.Module.BlockType(instruction.Index);
        stack.SpillStack();
        stack.SpillLocals(0);
        stack.MakeTemporaries(type.Parameters.Length);
        Push(instruction.Opcode, type);
    }

    private void Push(Opcode opcode, FunctionType type) => frames.Add(
        new ControlFrame(opcode, type, stack.Count - type.Parameters.Length, cil.NewLabel(), checkedAddresses.EnterBlock()));

    private void EnterLoop(in Instruction instruction)
    {
        EnterBlock(instruction);
        checkedAddresses.EnterLoop();
        cil.Mark(frames[^1].Label);
        cil.ContextAddress(ModuleContext.InterruptOffset);
        cil.Emit(OpCodes.Volatile);
        cil.Emit(OpCodes.Ldind_I4);
        cil.Emit(OpCodes.Brtrue, Trap(nameof(CompiledCode.TrapInterrupted)));
    }

    private void EnterIf(in Instruction instruction, Condition condition)
    {
        var type = module.Module.BlockType(instruction.Index);
        var operands = condition.Operands;
        // The parameters lie below the condition; both arms take them from their temporaries.
        if (type.Parameters.Length > 0)
            stack.MakeTemporaries(type.Parameters.Length + operands);
        stack.LoadAlone(operands);
        stack.SpillLocals(operands);
        stack.Pop(operands);
        var otherwise = cil.NewLabel();
        cil.Emit(condition.Branch(invert: true), otherwise);
        Push(Opcode.If, type);
        frames[^1].Else = otherwise;
    }

    private void EnterElse()
    {
        var frame = frames[^1];
        if (!unreachable)
        {
            stack.StoreAt(frame.Height, frame.Type.Results.Length);
            stack.Discard();
            cil.Emit(OpCodes.Br, frame.Label);
        }

        unreachable = false;
        stack.Truncate(frame.Height);
        foreach (var parameter in frame.Type.Parameters)
            stack.PushTemporary(parameter);
        cil.Mark(frame.Else!.Value);
        frame.Else = null;
        checkedAddresses.LeaveBlock(frame.Entry);
    }

    private void LeaveBlock()
    {
        var frame = frames[^1];
        if (frames.Count == 1)
        {
            if (!unreachable)
                Return();
            frames.Clear();
            return;
        }

        var results = frame.Type.Results;
        if (!unreachable)
        {
            stack.StoreAt(frame.Height, results.Length);
            stack.Discard();
        }

        frames.RemoveAt(frames.Count - 1);
        unreachable = false;
        stack.Truncate(frame.Height);
        foreach (var result in results)
            stack.PushTemporary(result);
        if (frame.Opcode == Opcode.Loop)
            return;
        if (frame.Else is { } otherwise)
            cil.Mark(otherwise);
        cil.Mark(frame.Label);
        checkedAddresses.LeaveBlock(frame.Entry);
    }

    /// <summary>Leaves for a block with the values it wants.</summary>
    private void Branch(ControlFrame target)
    {
        if (target == frames[0])
        {
            Return();
            return;
        }

        stack.StoreAt(target.Height, target.LabelTypes.Length);
        stack.Discard();
        cil.Emit(OpCodes.Br, target.Label);
    }

    private void BranchIf(in Instruction instruction, Condition condition)
    {
        var target = Frame(instruction.Index);
        var values = target.LabelTypes.Length;
        stack.LoadAlone(condition.Operands);
        stack.Pop(condition.Operands);
        if (target != frames[0] && values == 0)
        {
            cil.Emit(condition.Branch(invert: false), target.Label);
            return;
        }

        var stay = cil.NewLabel();
        cil.Emit(condition.Branch(invert: true), stay);
        LeaveWithCopies(target);
        cil.Mark(stay);
    }

    /// <summary>Leaves on one path only: the operands stay where they are for the other paths. None is on the CIL stack.</summary>
    private void LeaveWithCopies(ControlFrame target)
    {
        var values = target.LabelTypes.Length;
        if (target == frames[0])
        {
            for (var index = stack.Count - values; index < stack.Count; index++)
                stack.Read(index);
            EmitReturnOfLoaded();
            return;
        }

        stack.CopyTo(target.Height, values);
        cil.Emit(OpCodes.Br, target.Label);
    }

    private void BranchTable(int[] depths)
    {
        stack.LoadAlone(1);
        stack.Pop();
        var arrivals = new Dictionary<int, Label>();
        var labels = new Label[depths.Length];
        for (var index = 0; index < depths.Length; index++)
        {
            var target = Frame(depths[index]);
            if (target != frames[0] && target.LabelTypes.Length == 0)
                labels[index] = target.Label;
            else if (!arrivals.TryGetValue(depths[index], out labels[index]))
                arrivals.Add(depths[index], labels[index] = cil.NewLabel());
        }

        cil.Switch(labels[..^1]);
        cil.Emit(OpCodes.Br, labels[^1]);
        foreach (var (depth, label) in arrivals)
        {
            cil.Mark(label);
            LeaveWithCopies(Frame(depth));
        }

        EndReachable();
    }

    /// <summary>Emits a comparison; together with the branch or selection that follows it, if one does.</summary>
    private void EmitComparison(Opcode opcode)
    {
        var code = body.Instructions;
        var after = next;
        var negated = false;
        for (; code[after].Opcode == Opcode.I32Eqz; after++)
            negated = !negated;
        if (code[after].Opcode is Opcode.BrIf or Opcode.If or Opcode.Select or Opcode.SelectTyped)
        {
            next = after + 1;
            var condition = new Condition(opcode, negated);
            switch (code[after].Opcode)
            {
                case Opcode.BrIf: BranchIf(code[after], condition); break;
                case Opcode.If: EnterIf(code[after], condition); break;
                default: EmitSelect(condition); break;
            }

            return;
        }

        var operands = new Condition(opcode, false).Operands;
        stack.Load(operands);
        stack.Pop(operands);
        Condition.EmitValue(cil, opcode);
        stack.Push(ValueType.I32);
    }

    private void EmitSelect(Condition condition)
    {
        stack.LoadAlone(condition.Operands);
        stack.Pop(condition.Operands);
        var first = stack.Count - 2;
        var type = stack[first].Type;
        var result = stack.Temporary(first, type);
        var done = cil.NewLabel();
        if (stack[first].Place != OperandPlace.Temporary)
        {
            // The condition's operands stay below on the CIL stack meanwhile.
            stack.Read(first);
            cil.Store(result);
        }

        cil.Emit(condition.Branch(invert: false), done);
        stack.Read(first + 1);
        cil.Store(result);
        cil.Mark(done);
        stack.Pop(2);
        stack.PushTemporary(type);
    }
}
