using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>
/// Small methods for instructions that CIL has no exact equal of. They are emitted into the image, not called in this assembly, because ahead-of-time
/// compilation inlines only within an image.
/// </summary>
internal sealed class ArithmeticMethods(TypeBuilder owner)
{
    private readonly Dictionary<string, MethodInfo> methods = [];

    /// <summary>An integer division or remainder that traps as WebAssembly's does.</summary>
    public MethodInfo Division(Opcode opcode)
    {
        var type = opcode >= Opcode.I64DivS ? typeof(long) : typeof(int);
        return Get(opcode.ToString(), type, il => EmitDivision(il, opcode, type));
    }

    /// <summary>The smaller or larger of two floats; if one is NaN, a quiet NaN.</summary>
    public MethodInfo Extremum(Type type, string name) => Get(type.Name + name, type, il => EmitExtremum(il, type, name));

    private MethodInfo Get(string name, Type type, Action<ILGenerator> emit)
    {
        if (methods.TryGetValue(name, out var known))
            return known;
        var method = owner.DefineMethod(name, MethodAttributes.Public | MethodAttributes.Static, type, [type, type]);
        method.SetImplementationFlags(MethodImplAttributes.AggressiveInlining);
        method.InitLocals = false;
        emit(method.GetILGenerator());
        methods.Add(name, method);
        return method;
    }

    private static void EmitDivision(ILGenerator il, Opcode opcode, Type type)
    {
        var divide = il.DefineLabel();
        var notZero = il.DefineLabel();
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Brtrue, notZero);
        il.Emit(OpCodes.Call, CilMethods.Runtime(nameof(CompiledCode.TrapDivideByZero)));
        il.Emit(OpCodes.Throw);
        il.MarkLabel(notZero);
        var isSigned = opcode is Opcode.I32DivS or Opcode.I64DivS or Opcode.I32RemS or Opcode.I64RemS;
        var isDivision = opcode is Opcode.I32DivS or Opcode.I64DivS or Opcode.I32DivU or Opcode.I64DivU;
        if (isSigned)
            EmitMinusOne(il, type, isDivision, divide);
        il.MarkLabel(divide);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit((isDivision, isSigned) switch
        {
            (true, true) => OpCodes.Div,
            (true, false) => OpCodes.Div_Un,
            (false, true) => OpCodes.Rem,
            _ => OpCodes.Rem_Un,
        });
        il.Emit(OpCodes.Ret);
    }

    /// <summary>Division by -1 overflows for the smallest number; the remainder by -1 is always 0, where the processor would fault.</summary>
    private static void EmitMinusOne(ILGenerator il, Type type, bool isDivision, Label divide)
    {
        il.Emit(OpCodes.Ldarg_1);
        EmitConstant(il, type, -1);
        il.Emit(OpCodes.Bne_Un, divide);
        if (!isDivision)
        {
            EmitConstant(il, type, 0);
            il.Emit(OpCodes.Ret);
            return;
        }

        il.Emit(OpCodes.Ldarg_0);
        EmitConstant(il, type, type == typeof(long) ? long.MinValue : int.MinValue);
        il.Emit(OpCodes.Bne_Un, divide);
        il.Emit(OpCodes.Call, CilMethods.Runtime(nameof(CompiledCode.TrapOverflow)));
        il.Emit(OpCodes.Throw);
    }

    private static void EmitConstant(ILGenerator il, Type type, long value)
    {
        if (type == typeof(long))
            il.Emit(OpCodes.Ldc_I8, value);
        else
            il.Emit(OpCodes.Ldc_I4, (int)value);
    }

    /// <summary>The library's minimum and maximum pass a signalling NaN on; adding the operands makes it quiet.</summary>
    private static void EmitExtremum(ILGenerator il, Type type, string name)
    {
        var isNumber = il.DefineLabel();
        var isNaN = il.DefineLabel();
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Bne_Un, isNaN);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Beq, isNumber);
        il.MarkLabel(isNaN);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Add);
        il.Emit(OpCodes.Ret);
        il.MarkLabel(isNumber);
        il.Emit(OpCodes.Ldarg_0);
        il.Emit(OpCodes.Ldarg_1);
        il.Emit(OpCodes.Call, CilMethods.Math(name, type, 2));
        il.Emit(OpCodes.Ret);
    }
}
