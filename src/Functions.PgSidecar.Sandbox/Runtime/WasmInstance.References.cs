using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Functions as values, and the constant expressions that make them.</summary>
public sealed unsafe partial class WasmInstance
{
    internal FunctionReference ReferenceTo(int ordinal, int function) => ReferenceTo(placement.Modules[ordinal], function);

    internal static FunctionReference ReferenceTo(ModulePlacement module, int function)
    {
        var target = Resolve(module, function);
        return new FunctionReference
        {
            Code = target.Code,
            TypeId = module.Module.TypeIdOf(function),
            ContextOffset = target.ContextOffset ?? module.ContextOffset,
        };
    }

    /// <summary>A function of a module, or what its import was bound to.</summary>
    internal static ExternalFunction Resolve(ModulePlacement module, int function)
    {
        if (function >= module.Module.Definition.ImportedFunctions)
            return new ExternalFunction(module.Module.Definition.FunctionTypes[function], module.Module.AddressOf(function), module.ContextOffset);
        var import = module.ImportedFunctions[function];
        return import with { ContextOffset = import.ContextOffset ?? module.ContextOffset };
    }

    /// <summary>The same for a call by the host, of an exported function or the start function.</summary>
    internal static ExternalFunction EntryOf(ModulePlacement module, int function)
    {
        var target = Resolve(module, function);
        return function >= module.Module.Definition.ImportedFunctions ? target with { Code = module.Module.EntryOf(function) } : target;
    }

    internal FunctionReference EvaluateReference(ModulePlacement module, ConstantExpression expression)
    {
        FunctionReference value = default;
        Evaluate(module, expression, (byte*)&value);
        return value;
    }

    internal uint EvaluateOffset(ModulePlacement module, ConstantExpression expression)
    {
        ulong value = 0;
        Evaluate(module, expression, (byte*)&value);
        return (uint)value;
    }

    /// <summary>Evaluates a constant expression into a zeroed cell of 16 bytes or, for numbers, 8.</summary>
    internal void Evaluate(ModulePlacement module, ConstantExpression expression, byte* cell)
    {
        var numbers = new Stack<ulong>();
        foreach (ref readonly var instruction in expression.Instructions)
        {
            switch (instruction.Opcode)
            {
                case Opcode.RefNull:
                    return;
                case Opcode.RefFunc:
                    *(FunctionReference*)cell = ReferenceTo(module, instruction.Index);
                    return;
                case Opcode.V128Const:
                    MemoryMarshal.AsBytes(instruction.Numbers).CopyTo(new Span<byte>(cell, 16));
                    return;
                case Opcode.GlobalGet when module.Module.Definition.GlobalTypes[instruction.Index].Value is Wasm.ValueType.FuncRef or Wasm.ValueType.V128:
                    Unsafe.CopyBlockUnaligned(cell, mapping + module.GlobalOffset(instruction.Index), 16);
                    return;
                case Opcode.GlobalGet:
                    numbers.Push(*(ulong*)(mapping + module.GlobalOffset(instruction.Index)));
                    break;
                case >= Opcode.I32Const and <= Opcode.F64Const:
                    numbers.Push(instruction.Immediate);
                    break;
                default:
                    var right = numbers.Pop();
                    numbers.Push(Calculate(instruction.Opcode, numbers.Pop(), right));
                    break;
            }
        }

        Unsafe.WriteUnaligned(cell, numbers.Pop());
    }

    private static ulong Calculate(Opcode opcode, ulong left, ulong right) => opcode switch
    {
        Opcode.I32Add => (uint)left + (uint)right,
        Opcode.I32Sub => (uint)left - (uint)right,
        Opcode.I32Mul => (uint)left * (uint)right,
        Opcode.I64Add => left + right,
        Opcode.I64Sub => left - right,
        Opcode.I64Mul => left * right,
        _ => throw new UnreachableException(),
    };
}
