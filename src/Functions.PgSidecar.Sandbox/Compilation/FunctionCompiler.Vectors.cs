using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Vector instructions: mostly the code of the method that bears their name.</summary>
internal sealed partial class FunctionCompiler
{
    private VectorSplicer? vectors;
    private LocalBuilder? packed;

    private VectorSplicer Vectors => vectors ??= new VectorSplicer(cil);

    private void EmitVector(in Instruction instruction)
    {
        var opcode = instruction.Opcode;
        var shape = VectorOpcodes.ShapeOf(opcode);
        switch (shape)
        {
            case VectorShape.Unary or VectorShape.Binary or VectorShape.Ternary:
                SpliceVector(opcode, 1 + (shape - VectorShape.Unary), ValueType.V128);
                break;
            case VectorShape.Shift:
                SpliceVector(opcode, 2, ValueType.V128);
                break;
            case VectorShape.Test:
                SpliceVector(opcode, 1, ValueType.I32);
                break;
            case VectorShape.Splat:
                SpliceVector(opcode, 1, ValueType.V128);
                break;
            case VectorShape.Extract:
                SpliceVector(opcode, 1, VectorOpcodes.NumberOf(opcode), instruction.Index);
                break;
            case VectorShape.Replace:
                SpliceVector(opcode, 2, ValueType.V128, instruction.Index);
                break;
            case VectorShape.Shuffle:
                EmitShuffle(instruction.Numbers!);
                break;
            case VectorShape.Constant:
                stack.PushConstant(ValueType.V128, cil.NumberOf(VectorOf(instruction.Numbers!)));
                break;
            case VectorShape.Load:
                EmitAddress(instruction.Immediate, VectorOpcodes.BytesOf(opcode));
                EmitVectorLoad(opcode);
                stack.Push(ValueType.V128);
                break;
            default:
                EmitVectorStore(instruction, shape);
                break;
        }
    }

    private void SpliceVector(Opcode opcode, int operands, ValueType result, int? lane = null)
    {
        stack.Load(operands);
        stack.Pop(operands);
        if (lane is { } index)
            cil.Integer(index);
        Vectors.Splice(opcode.ToString());
        stack.Push(result);
    }

    private static UInt128 VectorOf(int[] words) =>
        new((ulong)(uint)words[3] << 32 | (uint)words[2], (ulong)(uint)words[1] << 32 | (uint)words[0]);

    /// <summary>Lanes of the first vector are taken by one constant, those of the second by another; what lies outside a vector is zero.</summary>
    private void EmitShuffle(int[] lanes)
    {
        stack.Load(2);
        stack.Pop(2);
        cil.VectorConstant(LanesFrom(lanes, 0));
        cil.VectorConstant(LanesFrom(lanes, 16));
        Vectors.Splice(nameof(Opcode.I8x16Shuffle));
        stack.Push(ValueType.V128);
    }

    private static UInt128 LanesFrom(int[] lanes, int first)
    {
        var result = UInt128.Zero;
        for (var index = lanes.Length - 1; index >= 0; index--)
        {
            var lane = lanes[index] - first;
            result = result << 8 | (lane is >= 0 and < 16 ? (byte)lane : byte.MaxValue);
        }

        return result;
    }

    private void EmitVectorLoad(Opcode opcode)
    {
        switch (opcode)
        {
            case Opcode.V128Load:
                cil.LoadCell(ValueType.V128);
                return;
            case Opcode.V128Load8Splat:
                LoadAndSplice(OpCodes.Ldind_U1, Opcode.I8x16Splat);
                return;
            case Opcode.V128Load16Splat:
                LoadAndSplice(OpCodes.Ldind_U2, Opcode.I16x8Splat);
                return;
            case Opcode.V128Load32Splat:
                LoadAndSplice(OpCodes.Ldind_I4, Opcode.I32x4Splat);
                return;
            case Opcode.V128Load64Splat:
                LoadAndSplice(OpCodes.Ldind_I8, Opcode.I64x2Splat);
                return;
            case Opcode.V128Load32Zero:
                LoadAndSplice(OpCodes.Ldind_I4, opcode);
                return;
            default:
                LoadAndSplice(OpCodes.Ldind_I8, opcode);
                return;
        }
    }

    private void LoadAndSplice(OpCode load, Opcode method)
    {
        cil.Emit(load);
        Vectors.Splice(method.ToString());
    }

    /// <summary>Stores a vector or one of its lanes, or loads one lane into a vector: the address lies below the vector.</summary>
    private void EmitVectorStore(in Instruction instruction, VectorShape shape)
    {
        EmitAddressBelow(instruction.Immediate, VectorOpcodes.BytesOf(instruction.Opcode));
        if (shape == VectorShape.Store)
        {
            cil.StoreCell(ValueType.V128);
            return;
        }

        cil.Integer(instruction.Index);
        Vectors.Splice(instruction.Opcode.ToString());
        if (shape == VectorShape.LoadLane)
            stack.Push(ValueType.V128);
    }

    /// <summary>Between functions vectors travel as plain bits: ahead-of-time compilation declines methods that have vectors in their signatures.</summary>
    private void PackVector()
    {
        cil.Store(Scratch(ValueType.V128));
        cil.LoadAddress(Scratch(ValueType.V128));
        cil.Emit(OpCodes.Ldobj, typeof(VectorBits));
    }

    private void UnpackVector()
    {
        packed ??= cil.NewLocal(typeof(VectorBits));
        cil.Store(packed);
        cil.LoadAddress(packed);
        cil.LoadCell(ValueType.V128);
    }
}
