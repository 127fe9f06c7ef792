using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Loads and stores, locals and globals.</summary>
internal sealed partial class FunctionCompiler
{
    private readonly Dictionary<ValueType, LocalBuilder> scratch = [];
    private LocalBuilder? address;

    /// <summary>The one local that holds addresses while they are checked.</summary>
    private LocalBuilder Address => address ??= cil.NewLocal(typeof(nuint));

    private LocalBuilder Scratch(ValueType type)
    {
        if (!scratch.TryGetValue(type, out var local))
            scratch.Add(type, local = cil.NewLocal(CilMethods.ClrType(type)));
        return local;
    }

    private void EmitMemoryAccess(in Instruction instruction, MemoryAccess access)
    {
        if (!access.IsStore)
        {
            EmitAddress(instruction.Immediate, access.Bytes);
            EmitLoad(instruction.Opcode);
            stack.Push(access.Type);
            return;
        }

        EmitAddressBelow(instruction.Immediate, access.Bytes);
        EmitStore(instruction.Opcode);
    }

    /// <summary>Puts a checked pointer and the value above it on the CIL stack, no longer announced.</summary>
    private void EmitAddressBelow(ulong offset, int bytes)
    {
        // The address must come first on the CIL stack: a value that is there already waits in its temporary.
        if (stack.Top().Place == OperandPlace.Stack)
            stack.SpillStack(stack.Count - 1);
        var value = stack.Top();
        var depth = stack.Count - 1;
        stack.Pop();
        EmitAddress(offset, bytes);
        switch (value.Place)
        {
            case OperandPlace.Temporary: cil.Load(stack.Temporary(depth, value.Type)); break;
            case OperandPlace.Local: locals.Load(value.Local); break;
            default: cil.Constant(value.Type, value.Value); break;
        }
    }

    /// <summary>Replaces the address on top by a pointer on the CIL stack, no longer announced: a checked one, or one that cannot leave the instance's room.</summary>
    private void EmitAddress(ulong offset, int bytes)
    {
        if (module.Options.GuardPages && offset + (ulong)bytes <= GuardedSpace.GuardBytes)
        {
            EmitGuardedAddress(offset);
            return;
        }

        var operand = stack.Top();
        if (operand.Place == OperandPlace.Constant && (uint)operand.Value + offset + (ulong)bytes <= module.MinimumMemoryBytes)
        {
            stack.Pop();
            LoadMemory();
            AddMemoryOffset((uint)operand.Value + offset);
            return;
        }

        var isLocal = operand.Place == OperandPlace.Local;
        if (isLocal && checkedAddresses.Covers(operand.Local, offset + (ulong)bytes))
        {
            stack.Pop();
            LoadMemory();
            locals.Load(operand.Local);
            cil.Emit(OpCodes.Conv_U);
            cil.Emit(OpCodes.Add);
            AddMemoryOffset(offset);
            return;
        }

        EmitCheckedAddress(offset, bytes);
        if (isLocal)
            checkedAddresses.Add(operand.Local, offset + (ulong)bytes);
    }

    private void EmitGuardedAddress(ulong offset)
    {
        stack.Load(1);
        stack.Pop();
        cil.Emit(OpCodes.Conv_U);
        LoadMemory();
        cil.Emit(OpCodes.Add);
        AddMemoryOffset(offset);
    }

    private void EmitCheckedAddress(ulong offset, int bytes)
    {
        if (stack.Top().Place != OperandPlace.Stack)
            stack.SpillStack();
        stack.Load(1);
        stack.Pop();
        cil.Emit(OpCodes.Conv_U);
        AddOffset(offset);
        cil.Store(Address);
        stack.SpillStack();
        cil.Load(Address);
        cil.LoadFromContext(ModuleContext.LimitFor(bytes), OpCodes.Ldind_I);
        cil.Emit(OpCodes.Bge_Un, Trap(nameof(CompiledCode.TrapOutOfBoundsMemory)));
        LoadMemory();
        cil.Load(Address);
        cil.Emit(OpCodes.Add);
        AddMemoryOffset(0);
    }

    /// <summary>Puts what addresses in memory are counted from on the CIL stack: the context where its distance is known, which has a register anyway.</summary>
    private void LoadMemory()
    {
        if (memoryBase is null)
            cil.Context();
        else
            cil.Load(memoryBase);
    }

    /// <summary>Makes a distance from <see cref="LoadMemory"/>'s value an address.</summary>
    private void AddMemoryOffset(ulong offset) => AddOffset(offset + (ulong)(module.MemoryDistance ?? 0));

    private void AddOffset(ulong offset)
    {
        if (offset == 0)
            return;
        if (offset <= int.MaxValue)
            cil.Integer((int)offset);
        else
            cil.NativeUnsigned(offset);
        cil.Emit(OpCodes.Add);
    }

    private void EmitLoad(Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.I32Load: cil.Emit(OpCodes.Ldind_I4); break;
            case Opcode.I64Load: cil.Emit(OpCodes.Ldind_I8); break;
            case Opcode.F32Load: cil.Emit(OpCodes.Ldind_R4); break;
            case Opcode.F64Load: cil.Emit(OpCodes.Ldind_R8); break;
            case Opcode.I32Load8S: cil.Emit(OpCodes.Ldind_I1); break;
            case Opcode.I32Load8U: cil.Emit(OpCodes.Ldind_U1); break;
            case Opcode.I32Load16S: cil.Emit(OpCodes.Ldind_I2); break;
            case Opcode.I32Load16U: cil.Emit(OpCodes.Ldind_U2); break;
            case Opcode.I64Load8S: EmitBoth(OpCodes.Ldind_I1, OpCodes.Conv_I8); break;
            case Opcode.I64Load8U: EmitBoth(OpCodes.Ldind_U1, OpCodes.Conv_U8); break;
            case Opcode.I64Load16S: EmitBoth(OpCodes.Ldind_I2, OpCodes.Conv_I8); break;
            case Opcode.I64Load16U: EmitBoth(OpCodes.Ldind_U2, OpCodes.Conv_U8); break;
            case Opcode.I64Load32S: EmitBoth(OpCodes.Ldind_I4, OpCodes.Conv_I8); break;
            default: EmitBoth(OpCodes.Ldind_U4, OpCodes.Conv_U8); break;
        }
    }

    private void EmitStore(Opcode opcode) => cil.Emit(opcode switch
    {
        Opcode.I32Store or Opcode.I64Store32 => OpCodes.Stind_I4,
        Opcode.I64Store => OpCodes.Stind_I8,
        Opcode.F32Store => OpCodes.Stind_R4,
        Opcode.F64Store => OpCodes.Stind_R8,
        Opcode.I32Store8 or Opcode.I64Store8 => OpCodes.Stind_I1,
        _ => OpCodes.Stind_I2,
    });

    private void EmitBoth(OpCode first, OpCode second)
    {
        cil.Emit(first);
        cil.Emit(second);
    }

    private void EmitVariable(in Instruction instruction)
    {
        var index = instruction.Index;
        switch (instruction.Opcode)
        {
            case Opcode.Drop:
                EmitDrop();
                break;
            case Opcode.Select or Opcode.SelectTyped:
                EmitSelect(Condition.Plain);
                break;
            case Opcode.LocalGet:
                stack.PushLocal(locals.TypeOf(index), index);
                break;
            case Opcode.LocalSet:
                WriteLocal(index);
                break;
            case Opcode.LocalTee:
                WriteLocal(index);
                stack.PushLocal(locals.TypeOf(index), index);
                break;
            case Opcode.GlobalGet:
                GlobalAddress(index);
                cil.LoadCell(module.Module.GlobalTypes[index].Value);
                stack.Push(module.Module.GlobalTypes[index].Value);
                break;
            default:
                WriteGlobal(index);
                break;
        }
    }

    private void EmitDrop()
    {
        var (place, type) = (stack.Top().Place, stack.Top().Type);
        if (module.Options.GuardPages && type is ValueType.I64 or ValueType.F64 or ValueType.V128 && place is OperandPlace.Stack or OperandPlace.Temporary)
        {
            EmitUse(type);
            return;
        }

        if (place == OperandPlace.Stack)
            cil.Emit(OpCodes.Pop);
        stack.Pop();
    }

    /// <summary>
    /// Writes the value on top to the cell of the first result, which nobody reads. A load that nobody needs would become one of four bytes, and miss that its
    /// last ones are outside memory.
    /// </summary>
    private void EmitUse(ValueType type)
    {
        stack.Load(1);
        stack.Pop();
        cil.Store(Scratch(type));
        cil.LoadFromContext(ModuleContext.GroupOffset, OpCodes.Ldind_I);
        cil.Integer(GroupHeader.ResultsOffset);
        cil.Emit(OpCodes.Add);
        cil.Load(Scratch(type));
        cil.StoreCell(type);
    }

    private void WriteLocal(int index)
    {
        var value = stack.Top();
        stack.BeforeWrite(index, exceptTop: 1);
        stack.Load(1);
        stack.Pop();
        locals.Store(index);
        if (value.Place != OperandPlace.Local)
            checkedAddresses.Written(index);
        else if (value.Local != index)
            checkedAddresses.Copied(value.Local, index);
    }

    private void WriteGlobal(int index)
    {
        var type = module.Module.GlobalTypes[index].Value;
        stack.Load(1);
        stack.Pop();
        var value = Scratch(type);
        cil.Store(value);
        GlobalAddress(index);
        cil.Load(value);
        cil.StoreCell(type);
    }

    private void GlobalAddress(int index)
    {
        if (index >= module.Module.ImportedGlobals)
        {
            cil.ContextAddress(module.Layout.Global(index));
            return;
        }

        cil.Context();
        cil.LoadFromContext(module.Layout.GlobalSlot(index), OpCodes.Ldind_I);
        cil.Emit(OpCodes.Add);
    }
}
