using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Writes CIL in the shortest forms, in the vocabulary of this compiler: contexts, cells, WebAssembly types.</summary>
internal sealed class CilWriter(ILGenerator il, int contextArgument)
{
    private readonly List<UInt128> vectors = [UInt128.Zero];

    /// <summary>Bytes written so far.</summary>
    public int Length => il.ILOffset;

    public Label NewLabel() => il.DefineLabel();

    public LocalBuilder NewLocal(Type type) => il.DeclareLocal(type);

    public void Mark(Label label) => il.MarkLabel(label);

    public void Emit(OpCode opcode) => il.Emit(opcode);

    public void BeginTry() => il.BeginExceptionBlock();

    /// <summary>Ends what is tried; the exception is on the stack.</summary>
    public void BeginCatch(Type exception) => il.BeginCatchBlock(exception);

    public void EndTry() => il.EndExceptionBlock();

    public void Emit(OpCode opcode, Label label) => il.Emit(opcode, label);

    public void Emit(OpCode opcode, Type type) => il.Emit(opcode, type);

    /// <summary>Jumps by the number on the stack; goes on where it is beyond the labels. An assembly that is saved may not hold a switch without any.</summary>
    public void Switch(Label[] labels)
    {
        if (labels.Length == 0)
            il.Emit(OpCodes.Pop);
        else
            il.Emit(OpCodes.Switch, labels);
    }

    public void Call(MethodInfo method) => il.Emit(OpCodes.Call, method);

    /// <summary>The address of a method's code.</summary>
    public void LoadAddressOf(MethodInfo method) => il.Emit(OpCodes.Ldftn, method);

    public void CallIndirect(Type result, Type[] parameters) =>
        il.EmitCalli(OpCodes.Calli, CallingConventions.Standard, result, parameters, null);

    public void Load(LocalBuilder local) => il.Emit(OpCodes.Ldloc, local);

    public void Store(LocalBuilder local) => il.Emit(OpCodes.Stloc, local);

    public void LoadAddress(LocalBuilder local) => il.Emit(OpCodes.Ldloca, local);

    public void LoadArgumentAddress(int index) => il.Emit(OpCodes.Ldarga, (short)index);

    public void LoadArgument(int index)
    {
        switch (index)
        {
            case 0: il.Emit(OpCodes.Ldarg_0); break;
            case 1: il.Emit(OpCodes.Ldarg_1); break;
            case 2: il.Emit(OpCodes.Ldarg_2); break;
            case 3: il.Emit(OpCodes.Ldarg_3); break;
            case <= byte.MaxValue: il.Emit(OpCodes.Ldarg_S, (byte)index); break;
            default: il.Emit(OpCodes.Ldarg, (short)index); break;
        }
    }

    public void StoreArgument(int index)
    {
        if (index <= byte.MaxValue)
            il.Emit(OpCodes.Starg_S, (byte)index);
        else
            il.Emit(OpCodes.Starg, (short)index);
    }

    public void Integer(int value)
    {
        switch (value)
        {
            case -1: il.Emit(OpCodes.Ldc_I4_M1); break;
            case 0: il.Emit(OpCodes.Ldc_I4_0); break;
            case 1: il.Emit(OpCodes.Ldc_I4_1); break;
            case 2: il.Emit(OpCodes.Ldc_I4_2); break;
            case 3: il.Emit(OpCodes.Ldc_I4_3); break;
            case 4: il.Emit(OpCodes.Ldc_I4_4); break;
            case 5: il.Emit(OpCodes.Ldc_I4_5); break;
            case 6: il.Emit(OpCodes.Ldc_I4_6); break;
            case 7: il.Emit(OpCodes.Ldc_I4_7); break;
            case 8: il.Emit(OpCodes.Ldc_I4_8); break;
            case >= sbyte.MinValue and <= sbyte.MaxValue: il.Emit(OpCodes.Ldc_I4_S, (sbyte)value); break;
            default: il.Emit(OpCodes.Ldc_I4, value); break;
        }
    }

    public void Long(long value)
    {
        if (value is >= int.MinValue and <= int.MaxValue)
        {
            Integer((int)value);
            il.Emit(OpCodes.Conv_I8);
        }
        else
        {
            il.Emit(OpCodes.Ldc_I8, value);
        }
    }

    /// <summary>An unsigned number as a native integer.</summary>
    public void NativeUnsigned(ulong value)
    {
        if (value <= int.MaxValue)
        {
            Integer((int)value);
            il.Emit(OpCodes.Conv_U);
        }
        else
        {
            il.Emit(OpCodes.Ldc_I8, (long)value);
            il.Emit(OpCodes.Conv_U);
        }
    }

    public void Single(float value) => il.Emit(OpCodes.Ldc_R4, value);

    public void Double(double value) => il.Emit(OpCodes.Ldc_R8, value);

    public void Constant(ValueType type, ulong bits)
    {
        switch (type)
        {
            case ValueType.I32:
                Integer((int)bits);
                break;
            case ValueType.I64 or ValueType.ExternRef:
                Long((long)bits);
                break;
            case ValueType.F32:
                FloatConstant((uint)bits);
                break;
            case ValueType.V128:
                VectorConstant(vectors[(int)bits]);
                break;
            default:
                DoubleConstant(bits);
                break;
        }
    }

    /// <summary>The number under which <see cref="Constant"/> knows a vector; 0 is the vector of zeros.</summary>
    public ulong NumberOf(UInt128 vector)
    {
        if (vector == UInt128.Zero)
            return 0;
        vectors.Add(vector);
        return (ulong)vectors.Count - 1;
    }

    public void VectorConstant(UInt128 vector)
    {
        if (vector == UInt128.Zero)
        {
            Call(CilMethods.ZeroVector);
            return;
        }

        il.Emit(OpCodes.Ldc_I8, (long)(ulong)vector);
        il.Emit(OpCodes.Ldc_I8, (long)(ulong)(vector >> 64));
        Call(CilMethods.CreateVector);
        Call(CilMethods.VectorAsBytes);
    }

    /// <summary>
    /// The just-in-time compiler holds constants as doubles, which makes a signalling NaN quiet: a constant NaN comes from a call it cannot see through.
    /// </summary>
    private void FloatConstant(uint bits)
    {
        var value = BitConverter.UInt32BitsToSingle(bits);
        if (!float.IsNaN(value))
        {
            il.Emit(OpCodes.Ldc_R4, value);
            return;
        }

        Integer((int)bits);
        il.Emit(OpCodes.Call, CilMethods.Runtime(nameof(CompiledCode.SingleFromBits)));
    }

    private void DoubleConstant(ulong bits)
    {
        var value = BitConverter.UInt64BitsToDouble(bits);
        if (!double.IsNaN(value))
        {
            il.Emit(OpCodes.Ldc_R8, value);
            return;
        }

        Long((long)bits);
        il.Emit(OpCodes.Call, CilMethods.Int64BitsToDouble);
    }

    public void Context() => LoadArgument(contextArgument);

    /// <summary>The address of a part of the context.</summary>
    public void ContextAddress(int offset)
    {
        Context();
        if (offset == 0)
            return;
        Integer(offset);
        il.Emit(OpCodes.Add);
    }

    public void LoadFromContext(int offset, OpCode load)
    {
        ContextAddress(offset);
        il.Emit(load);
    }

    /// <summary>Reads a value of a type from the address on the stack.</summary>
    public void LoadCell(ValueType type)
    {
        switch (type)
        {
            case ValueType.I32: il.Emit(OpCodes.Ldind_I4); break;
            case ValueType.F32: il.Emit(OpCodes.Ldind_R4); break;
            case ValueType.F64: il.Emit(OpCodes.Ldind_R8); break;
            case ValueType.V128 or ValueType.FuncRef: il.Emit(OpCodes.Ldobj, CilMethods.ClrType(type)); break;
            default: il.Emit(OpCodes.Ldind_I8); break;
        }
    }

    /// <summary>Writes a value of a type to the address below it on the stack.</summary>
    public void StoreCell(ValueType type)
    {
        switch (type)
        {
            case ValueType.I32: il.Emit(OpCodes.Stind_I4); break;
            case ValueType.F32: il.Emit(OpCodes.Stind_R4); break;
            case ValueType.F64: il.Emit(OpCodes.Stind_R8); break;
            case ValueType.V128 or ValueType.FuncRef: il.Emit(OpCodes.Stobj, CilMethods.ClrType(type)); break;
            default: il.Emit(OpCodes.Stind_I8); break;
        }
    }
}
