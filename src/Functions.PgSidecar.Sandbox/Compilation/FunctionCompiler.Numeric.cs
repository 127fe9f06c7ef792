using System.Numerics;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Arithmetic and conversions. Comparisons are in <see cref="Condition"/>.</summary>
internal sealed partial class FunctionCompiler
{
    private void EmitNumeric(Opcode opcode, NumericSignature signature)
    {
        if (TryEmitDivision(opcode, signature.Result) || TryEmitShift(opcode) || TryReinterpretConstant(opcode, signature.Result) || TryKeepIdentity(opcode))
            return;
        stack.Load(signature.Arity);
        stack.Pop(signature.Arity);
        if (opcode <= Opcode.I64Rotr)
            EmitInteger(opcode);
        else if (opcode <= Opcode.F64Copysign)
            EmitFloat(opcode, CilMethods.ClrType(signature.Operand));
        else
            EmitConversion(opcode);
        stack.Push(signature.Result);
    }

    private void EmitInteger(Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.I32Add or Opcode.I64Add: cil.Emit(OpCodes.Add); break;
            case Opcode.I32Sub or Opcode.I64Sub: cil.Emit(OpCodes.Sub); break;
            case Opcode.I32Mul or Opcode.I64Mul: cil.Emit(OpCodes.Mul); break;
            case Opcode.I32And or Opcode.I64And: cil.Emit(OpCodes.And); break;
            case Opcode.I32Or or Opcode.I64Or: cil.Emit(OpCodes.Or); break;
            case Opcode.I32Xor or Opcode.I64Xor: cil.Emit(OpCodes.Xor); break;
            case Opcode.I32Clz: CallBits(nameof(BitOperations.LeadingZeroCount), typeof(uint)); break;
            case Opcode.I32Ctz: CallBits(nameof(BitOperations.TrailingZeroCount), typeof(int)); break;
            case Opcode.I32Popcnt: CallBits(nameof(BitOperations.PopCount), typeof(uint)); break;
            case Opcode.I64Clz: CallBits(nameof(BitOperations.LeadingZeroCount), typeof(ulong)); cil.Emit(OpCodes.Conv_I8); break;
            case Opcode.I64Ctz: CallBits(nameof(BitOperations.TrailingZeroCount), typeof(long)); cil.Emit(OpCodes.Conv_I8); break;
            case Opcode.I64Popcnt: CallBits(nameof(BitOperations.PopCount), typeof(ulong)); cil.Emit(OpCodes.Conv_I8); break;
            case Opcode.I32Rotl: CallBits(nameof(BitOperations.RotateLeft), typeof(uint), typeof(int)); break;
            case Opcode.I32Rotr: CallBits(nameof(BitOperations.RotateRight), typeof(uint), typeof(int)); break;
            case Opcode.I64Rotl: cil.Emit(OpCodes.Conv_I4); CallBits(nameof(BitOperations.RotateLeft), typeof(ulong), typeof(int)); break;
            case Opcode.I64Rotr: cil.Emit(OpCodes.Conv_I4); CallBits(nameof(BitOperations.RotateRight), typeof(ulong), typeof(int)); break;
            default: throw new InvalidOperationException($"No code for {opcode}.");
        }
    }

    private void CallBits(string name, params Type[] parameters) => cil.Call(CilMethods.Bits(name, parameters));

    /// <summary>Division traps where CIL would raise processor exceptions; a constant divisor other than 0 and -1 needs no check.</summary>
    private bool TryEmitDivision(Opcode opcode, ValueType type)
    {
        if (opcode is not ((>= Opcode.I32DivS and <= Opcode.I32RemU) or (>= Opcode.I64DivS and <= Opcode.I64RemU)))
            return false;
        var divisor = stack.Top();
        var isSafe = divisor.Place == OperandPlace.Constant && (type == ValueType.I32
            ? (int)divisor.Value is not (0 or -1)
            : (long)divisor.Value is not (0 or -1));
        stack.Load(2);
        stack.Pop(2);
        if (isSafe)
        {
            cil.Emit(opcode switch
            {
                Opcode.I32DivS or Opcode.I64DivS => OpCodes.Div,
                Opcode.I32DivU or Opcode.I64DivU => OpCodes.Div_Un,
                Opcode.I32RemS or Opcode.I64RemS => OpCodes.Rem,
                _ => OpCodes.Rem_Un,
            });
        }
        else
        {
            cil.Call(module.Arithmetic.Division(opcode));
        }

        stack.Push(type);
        return true;
    }

    private bool TryEmitShift(Opcode opcode)
    {
        var isLong = opcode is >= Opcode.I64Shl and <= Opcode.I64ShrU;
        if (!isLong && opcode is not (>= Opcode.I32Shl and <= Opcode.I32ShrU))
            return false;
        var mask = isLong ? 63 : 31;
        var count = stack.Top();
        if (count.Place == OperandPlace.Constant)
        {
            stack.Pop();
            stack.Load(1);
            cil.Integer((int)count.Value & mask);
            stack.Pop();
        }
        else
        {
            stack.Load(2);
            stack.Pop(2);
            if (isLong)
                cil.Emit(OpCodes.Conv_I4);
            cil.Integer(mask);
            cil.Emit(OpCodes.And);
        }

        cil.Emit(opcode switch
        {
            Opcode.I32Shl or Opcode.I64Shl => OpCodes.Shl,
            Opcode.I32ShrS or Opcode.I64ShrS => OpCodes.Shr,
            _ => OpCodes.Shr_Un,
        });
        stack.Push(isLong ? ValueType.I64 : ValueType.I32);
        return true;
    }

    /// <summary>A constant's bits under another type: folded here, because the just-in-time compiler would not keep those of a NaN.</summary>
    private bool TryReinterpretConstant(Opcode opcode, ValueType result)
    {
        var operand = stack.Top();
        if (opcode is not (>= Opcode.I32ReinterpretF32 and <= Opcode.F64ReinterpretI64) || operand.Place != OperandPlace.Constant)
            return false;
        stack.Pop();
        stack.PushConstant(result, operand.Value);
        return true;
    }

    /// <summary>
    /// An operation that gives its other operand back, such as x * 1: the just-in-time compiler removes it, though it makes a signalling NaN quiet.
    /// </summary>
    private bool TryKeepIdentity(Opcode opcode)
    {
        if (opcode is not ((>= Opcode.F32Add and <= Opcode.F32Div) or (>= Opcode.F64Add and <= Opcode.F64Div)))
            return false;
        var (first, second) = (stack.Top(1), stack.Top());
        if (IsIdentity(opcode, second, isSecond: true))
        {
            stack.Pop();
            stack.Load(1);
            stack.Pop();
        }
        else if (IsIdentity(opcode, first, isSecond: false))
        {
            stack.Load(1);
            stack.Pop(2);
        }
        else
        {
            return false;
        }

        cil.Call(CilMethods.Runtime(first.Type == ValueType.F64 ? nameof(CompiledCode.QuietDouble) : nameof(CompiledCode.QuietSingle)));
        stack.Push(first.Type);
        return true;
    }

    private static bool IsIdentity(Opcode opcode, Operand operand, bool isSecond)
    {
        if (operand.Place != OperandPlace.Constant)
            return false;
        var isDouble = operand.Type == ValueType.F64;
        var value = isDouble ? BitConverter.UInt64BitsToDouble(operand.Value) : BitConverter.UInt32BitsToSingle((uint)operand.Value);
        return opcode switch
        {
            Opcode.F32Add or Opcode.F64Add => value == 0 && double.IsNegative(value),
            Opcode.F32Sub or Opcode.F64Sub => isSecond && value == 0 && !double.IsNegative(value),
            Opcode.F32Mul or Opcode.F64Mul => value == 1,
            _ => isSecond && value == 1,
        };
    }

    private void EmitFloat(Opcode opcode, Type type)
    {
        var index = opcode - (opcode >= Opcode.F64Abs ? Opcode.F64Abs : Opcode.F32Abs);
        switch (Opcode.F32Abs + (ushort)index)
        {
            case Opcode.F32Abs: CallMath(nameof(Math.Abs), type, 1); break;
            case Opcode.F32Neg: cil.Emit(OpCodes.Neg); break;
            case Opcode.F32Ceil: CallMath(nameof(Math.Ceiling), type, 1); break;
            case Opcode.F32Floor: CallMath(nameof(Math.Floor), type, 1); break;
            case Opcode.F32Trunc: CallMath(nameof(Math.Truncate), type, 1); break;
            case Opcode.F32Nearest: CallMath(nameof(Math.Round), type, 1); break;
            case Opcode.F32Sqrt: CallMath(nameof(Math.Sqrt), type, 1); break;
            case Opcode.F32Add: cil.Emit(OpCodes.Add); break;
            case Opcode.F32Sub: cil.Emit(OpCodes.Sub); break;
            case Opcode.F32Mul: cil.Emit(OpCodes.Mul); break;
            case Opcode.F32Div: cil.Emit(OpCodes.Div); break;
            case Opcode.F32Min: cil.Call(module.Arithmetic.Extremum(type, nameof(Math.Min))); break;
            case Opcode.F32Max: cil.Call(module.Arithmetic.Extremum(type, nameof(Math.Max))); break;
            default: CallMath(nameof(Math.CopySign), type, 2); break;
        }
    }

    private void CallMath(string name, Type type, int arity) => cil.Call(CilMethods.Math(name, type, arity));

    private void EmitConversion(Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.I32WrapI64: cil.Emit(OpCodes.Conv_I4); break;
            case Opcode.I64ExtendI32S: cil.Emit(OpCodes.Conv_I8); break;
            case Opcode.I64ExtendI32U: cil.Emit(OpCodes.Conv_U8); break;
            case Opcode.I32Extend8S: cil.Emit(OpCodes.Conv_I1); break;
            case Opcode.I32Extend16S: cil.Emit(OpCodes.Conv_I2); break;
            case Opcode.I64Extend8S: EmitBoth(OpCodes.Conv_I1, OpCodes.Conv_I8); break;
            case Opcode.I64Extend16S: EmitBoth(OpCodes.Conv_I2, OpCodes.Conv_I8); break;
            case Opcode.I64Extend32S: EmitBoth(OpCodes.Conv_I4, OpCodes.Conv_I8); break;
            case Opcode.I32ReinterpretF32: cil.Call(CilMethods.SingleToInt32Bits); break;
            case Opcode.I64ReinterpretF64: cil.Call(CilMethods.DoubleToInt64Bits); break;
            case Opcode.F32ReinterpretI32: cil.Call(CilMethods.Int32BitsToSingle); break;
            case Opcode.F64ReinterpretI64: cil.Call(CilMethods.Int64BitsToDouble); break;
            case Opcode.F32ConvertI32S or Opcode.F32ConvertI64S or Opcode.F32DemoteF64: cil.Emit(OpCodes.Conv_R4); break;
            case Opcode.F32ConvertI32U: EmitBoth(OpCodes.Conv_U8, OpCodes.Conv_R4); break;
            case Opcode.F64ConvertI32U: EmitBoth(OpCodes.Conv_U8, OpCodes.Conv_R8); break;
            case Opcode.F32ConvertI64U: cil.Call(CilMethods.Runtime(nameof(CompiledCode.UInt64ToSingle))); break;
            case Opcode.F64ConvertI64U: EmitBoth(OpCodes.Conv_R_Un, OpCodes.Conv_R8); break;
            case Opcode.F64PromoteF32 when body.Instructions[next].Opcode == Opcode.F32DemoteF64:
                // There and back again is not nothing, as the just-in-time compiler thinks: it makes a NaN quiet.
                cil.Call(CilMethods.Runtime(nameof(CompiledCode.QuietSingle)));
                cil.Emit(OpCodes.Conv_R8);
                break;
            case Opcode.F64ConvertI32S or Opcode.F64ConvertI64S or Opcode.F64PromoteF32: cil.Emit(OpCodes.Conv_R8); break;
            default: EmitTruncation(opcode); break;
        }
    }

    /// <summary>CIL's conversions to integers saturate and take NaN to 0, as the saturating instructions must; the trapping ones check first.</summary>
    private void EmitTruncation(Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.I32TruncSatF32S or Opcode.I32TruncSatF64S: cil.Emit(OpCodes.Conv_I4); break;
            case Opcode.I32TruncSatF32U or Opcode.I32TruncSatF64U: cil.Emit(OpCodes.Conv_U4); break;
            case Opcode.I64TruncSatF32S or Opcode.I64TruncSatF64S: cil.Emit(OpCodes.Conv_I8); break;
            case Opcode.I64TruncSatF32U or Opcode.I64TruncSatF64U: cil.Emit(OpCodes.Conv_U8); break;
            case Opcode.I32TruncF32S or Opcode.I32TruncF64S: CallTruncation(nameof(CompiledCode.TruncateToInt32)); break;
            case Opcode.I32TruncF32U or Opcode.I32TruncF64U: CallTruncation(nameof(CompiledCode.TruncateToUInt32)); break;
            case Opcode.I64TruncF32S or Opcode.I64TruncF64S: CallTruncation(nameof(CompiledCode.TruncateToInt64)); break;
            case Opcode.I64TruncF32U or Opcode.I64TruncF64U: CallTruncation(nameof(CompiledCode.TruncateToUInt64)); break;
            default: throw new InvalidOperationException($"No code for {opcode}.");
        }
    }

    private void CallTruncation(string name)
    {
        cil.Emit(OpCodes.Conv_R8);
        cil.Call(CilMethods.Runtime(name));
    }
}
