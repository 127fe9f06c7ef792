using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Calls and returns. Results after the first travel through the group's header.</summary>
internal sealed partial class FunctionCompiler
{
    private LocalBuilder? element;

    /// <summary>The table element an indirect call is about to use.</summary>
    private LocalBuilder Element => element ??= cil.NewLocal(typeof(nint));

    private void EmitCall(int function, bool isTail)
    {
        var type = module.Module.FunctionTypes[function];
        LoadArguments(type, isTail);
        SaveFuel();
        var imports = module.Module.ImportedFunctions;
        if (function >= imports)
        {
            cil.Context();
            MarkTail(isTail);
            cil.Call(module.Methods[function - imports]);
        }
        else
        {
            var slot = module.Layout.FunctionSlot(function);
            cil.Context();
            cil.LoadFromContext(slot + sizeof(long), OpCodes.Ldind_I);
            cil.Emit(OpCodes.Add);
            cil.LoadFromContext(slot, OpCodes.Ldind_I);
            MarkTail(isTail);
            cil.CallIndirect(CilMethods.ResultType(type), CilMethods.ParameterTypes(type));
        }

        EndCall(type, isTail);
    }

    private void LoadArguments(FunctionType type, bool isTail)
    {
        var count = type.Parameters.Length;
        if (type.Parameters.Contains(ValueType.V128))
        {
            stack.SpillStack();
            for (var index = stack.Count - count; index < stack.Count; index++)
            {
                stack.Read(index);
                if (stack[index].Type == ValueType.V128)
                    PackVector();
            }
        }
        else if (isTail)
        {
            // A tail call leaves the function with nothing but its arguments on the CIL stack.
            stack.LoadAlone(count);
        }
        else
        {
            stack.Load(count);
        }

        stack.Pop(count);
    }

    /// <summary>The runtime keeps the promise of the prefix whatever the two functions' types are: the caller's frame is gone before the call.</summary>
    private void MarkTail(bool isTail)
    {
        if (isTail)
            cil.Emit(OpCodes.Tailcall);
    }

    /// <summary>The callee of a tail call returns what this function returns, the results after the first in the same places.</summary>
    private void EndCall(FunctionType type, bool isTail)
    {
        if (!isTail)
        {
            LoadFuel();
            PushResults(type);
            return;
        }

        cil.Emit(OpCodes.Ret);
        EndReachable();
    }

    private void EmitCallIndirect(in Instruction instruction, bool isTail)
    {
        var type = module.Module.Types[instruction.Index];
        var table = module.Layout.Table(instruction.Index2);
        // Checks branch, so that the arguments must not lie on the CIL stack.
        stack.LoadAlone(1);
        stack.Pop();
        var index = Address;
        cil.Emit(OpCodes.Conv_U);
        cil.Store(index);
        cil.Load(index);
        cil.ContextAddress(table + sizeof(long));
        cil.Emit(OpCodes.Ldind_U4);
        cil.Emit(OpCodes.Conv_U);
        cil.Emit(OpCodes.Bge_Un, Trap(nameof(CompiledCode.TrapUndefinedElement)));
        cil.LoadFromContext(table, OpCodes.Ldind_I);
        cil.Load(index);
        cil.Integer(4);
        cil.Emit(OpCodes.Shl);
        cil.Emit(OpCodes.Add);
        cil.Store(Element);
        LoadFromElement(FunctionReference.TypeIdOffset, OpCodes.Ldind_I4);
        cil.Integer(module.Signatures.IdOf(type));
        cil.Emit(OpCodes.Bne_Un, Trap(nameof(CompiledCode.TrapSignature)));
        LoadArguments(type, isTail);
        SaveFuel();
        cil.LoadFromContext(ModuleContext.GroupOffset, OpCodes.Ldind_I);
        LoadFromElement(FunctionReference.ContextOffsetOffset, OpCodes.Ldind_I4);
        cil.Emit(OpCodes.Add);
        LoadFromElement(0, OpCodes.Ldind_I);
        MarkTail(isTail);
        cil.CallIndirect(CilMethods.ResultType(type), CilMethods.ParameterTypes(type));
        EndCall(type, isTail);
    }

    private void LoadFromElement(int offset, OpCode load)
    {
        cil.Load(Element);
        if (offset != 0)
        {
            cil.Integer(offset);
            cil.Emit(OpCodes.Add);
        }

        cil.Emit(load);
    }

    private void PushResults(FunctionType type)
    {
        if (type.Results.IsEmpty)
            return;
        if (type.Results[0] == ValueType.V128)
            UnpackVector();
        if (type.Results.Length == 1)
        {
            stack.Push(type.Results[0]);
            return;
        }

        for (var index = 0; index < type.Results.Length; index++)
        {
            if (index > 0)
            {
                ResultAddress(index);
                cil.LoadCell(type.Results[index]);
            }

            cil.Store(stack.Temporary(stack.Count, type.Results[index]));
            stack.PushTemporary(type.Results[index]);
        }
    }

    private void ResultAddress(int index)
    {
        cil.LoadFromContext(ModuleContext.GroupOffset, OpCodes.Ldind_I);
        cil.Integer(GroupHeader.ResultsOffset + index * 16);
        cil.Emit(OpCodes.Add);
    }

    private void Return()
    {
        var results = body.Type.Results.Length;
        if (results == 0)
        {
            stack.Discard();
        }
        else
        {
            stack.Load(results);
            if (stack.OnStack > results)
                DropRest(results);
        }

        EmitReturnOfLoaded();
    }

    /// <summary>Takes everything off the CIL stack but the results on its top.</summary>
    private void DropRest(int results)
    {
        var first = stack.Count - results;
        stack.SpillStack(first);
        stack.Discard();
        for (var index = first; index < stack.Count; index++)
            stack.Read(index);
    }

    /// <summary>Returns with all results, and nothing else, on the CIL stack.</summary>
    private void EmitReturnOfLoaded()
    {
        var results = body.Type.Results;
        for (var index = results.Length - 1; index > 0; index--)
        {
            var value = Scratch(results[index]);
            cil.Store(value);
            ResultAddress(index);
            cil.Load(value);
            cil.StoreCell(results[index]);
        }

        if (!results.IsEmpty && results[0] == ValueType.V128)
            PackVector();
        SaveFuel();
        cil.Emit(OpCodes.Ret);
    }
}
