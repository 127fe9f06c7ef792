using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>References, tables and bulk operations: rare enough to be calls into <see cref="CompiledCode"/>.</summary>
internal sealed partial class FunctionCompiler
{
    private void EmitTableOrBulk(in Instruction instruction)
    {
        PayForCount(instruction.Opcode);
        switch (instruction.Opcode)
        {
            case Opcode.MemorySize:
                cil.LoadFromContext(ModuleContext.MemoryPagesOffset, OpCodes.Ldind_I4);
                stack.Push(ValueType.I32);
                break;
            case Opcode.MemoryGrow:
                CallBulk(nameof(CompiledCode.MemoryGrow), 1, ValueType.I32);
                break;
            case Opcode.MemoryCopy:
                CallBulk(nameof(CompiledCode.MemoryCopy), 3, null);
                break;
            case Opcode.MemoryFill:
                CallBulk(nameof(CompiledCode.MemoryFill), 3, null);
                break;
            case Opcode.MemoryInit:
                CallBulk(nameof(CompiledCode.MemoryInit), 3, null, instruction.Index);
                break;
            case Opcode.DataDrop:
                DropSegment(module.Layout.DataDropped(instruction.Index));
                break;
            case Opcode.ElemDrop:
                DropSegment(module.Layout.ElementDropped(instruction.Index));
                break;
            case Opcode.RefNull or Opcode.RefIsNull or Opcode.RefFunc:
                EmitReference(instruction);
                break;
            default:
                EmitTable(instruction);
                break;
        }
    }

    private void EmitReference(in Instruction instruction)
    {
        switch (instruction.Opcode)
        {
            case Opcode.RefNull when (ValueType)instruction.Index == ValueType.ExternRef:
                stack.PushConstant(ValueType.ExternRef, 0);
                break;
            case Opcode.RefNull:
                var nothing = Scratch(ValueType.FuncRef);
                cil.LoadAddress(nothing);
                cil.Emit(OpCodes.Initobj, typeof(FunctionReference));
                cil.Load(nothing);
                stack.Push(ValueType.FuncRef);
                break;
            case Opcode.RefIsNull:
                EmitIsNull();
                break;
            default:
                cil.Integer(instruction.Index);
                CallRuntime(nameof(CompiledCode.Reference));
                stack.Push(ValueType.FuncRef);
                break;
        }
    }

    private void EmitIsNull()
    {
        var type = stack.Top().Type;
        stack.Load(1);
        stack.Pop();
        if (type == ValueType.FuncRef)
        {
            var value = Scratch(type);
            cil.Store(value);
            cil.LoadAddress(value);
            cil.Emit(OpCodes.Ldind_I);
            cil.Emit(OpCodes.Conv_I8);
        }

        cil.Integer(0);
        cil.Emit(OpCodes.Conv_I8);
        cil.Emit(OpCodes.Ceq);
        stack.Push(ValueType.I32);
    }

    private void EmitTable(in Instruction instruction)
    {
        var table = instruction.Index;
        var isFunction = instruction.Opcode is not (Opcode.TableInit or Opcode.TableCopy)
            && module.Module.TableTypes[table].Element == ValueType.FuncRef;
        var element = isFunction ? ValueType.FuncRef : ValueType.ExternRef;
        switch (instruction.Opcode)
        {
            case Opcode.TableGet:
                CallBulk(isFunction ? nameof(CompiledCode.TableGet) : nameof(CompiledCode.TableGetHost), 1, element, table);
                break;
            case Opcode.TableSet:
                CallBulk(isFunction ? nameof(CompiledCode.TableSet) : nameof(CompiledCode.TableSetHost), 2, null, table);
                break;
            case Opcode.TableGrow:
                CallBulk(isFunction ? nameof(CompiledCode.TableGrow) : nameof(CompiledCode.TableGrowHost), 2, ValueType.I32, table);
                break;
            case Opcode.TableFill:
                CallBulk(isFunction ? nameof(CompiledCode.TableFill) : nameof(CompiledCode.TableFillHost), 3, null, table);
                break;
            case Opcode.TableSize:
                cil.LoadFromContext(module.Layout.Table(table) + sizeof(long), OpCodes.Ldind_I4);
                stack.Push(ValueType.I32);
                break;
            case Opcode.TableInit:
                CallBulk(nameof(CompiledCode.TableInit), 3, null, instruction.Index, instruction.Index2);
                break;
            default:
                CallBulk(nameof(CompiledCode.TableCopy), 3, null, instruction.Index, instruction.Index2);
                break;
        }
    }

    /// <summary>Calls a runtime method with the operands, the instruction's indices, and the context.</summary>
    private void CallBulk(string name, int operands, ValueType? result, params ReadOnlySpan<int> indices)
    {
        stack.Load(operands);
        stack.Pop(operands);
        foreach (var index in indices)
            cil.Integer(index);
        CallRuntime(name);
        if (result is { } type)
            stack.Push(type);
    }

    private void DropSegment(int flagOffset)
    {
        cil.ContextAddress(flagOffset);
        cil.Integer(1);
        cil.Emit(OpCodes.Stind_I4);
    }
}
