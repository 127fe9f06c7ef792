using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Bits, lanes and their order.</summary>
public static partial class CompiledVectors
{
    public static V I8x16Shuffle(V a, V b, V lanesOfA, V lanesOfB) => Vector128.Shuffle(a, lanesOfA) | Vector128.Shuffle(b, lanesOfB);

    public static V I8x16Swizzle(V a, V b) => Vector128.Shuffle(a, b);

    public static V I8x16Splat(int value) => Vector128.Create((sbyte)value).AsByte();

    public static V I16x8Splat(int value) => Vector128.Create((short)value).AsByte();

    public static V I32x4Splat(int value) => Vector128.Create(value).AsByte();

    public static V I64x2Splat(long value) => Vector128.Create(value).AsByte();

    public static V F32x4Splat(float value) => Vector128.Create(value).AsByte();

    public static V F64x2Splat(double value) => Vector128.Create(value).AsByte();

    public static int I8x16ExtractLaneS(V a, int lane) => a.AsSByte().GetElement(lane);

    public static int I8x16ExtractLaneU(V a, int lane) => a.GetElement(lane);

    public static V I8x16ReplaceLane(V a, int value, int lane) => a.AsSByte().WithElement(lane, (sbyte)value).AsByte();

    public static int I16x8ExtractLaneS(V a, int lane) => a.AsInt16().GetElement(lane);

    public static int I16x8ExtractLaneU(V a, int lane) => a.AsUInt16().GetElement(lane);

    public static V I16x8ReplaceLane(V a, int value, int lane) => a.AsInt16().WithElement(lane, (short)value).AsByte();

    public static int I32x4ExtractLane(V a, int lane) => a.AsInt32().GetElement(lane);

    public static V I32x4ReplaceLane(V a, int value, int lane) => a.AsInt32().WithElement(lane, value).AsByte();

    public static long I64x2ExtractLane(V a, int lane) => a.AsInt64().GetElement(lane);

    public static V I64x2ReplaceLane(V a, long value, int lane) => a.AsInt64().WithElement(lane, value).AsByte();

    public static float F32x4ExtractLane(V a, int lane) => a.AsSingle().GetElement(lane);

    public static V F32x4ReplaceLane(V a, float value, int lane) => a.AsSingle().WithElement(lane, value).AsByte();

    public static double F64x2ExtractLane(V a, int lane) => a.AsDouble().GetElement(lane);

    public static V F64x2ReplaceLane(V a, double value, int lane) => a.AsDouble().WithElement(lane, value).AsByte();

    public static V V128Not(V a) => ~a;

    public static V V128And(V a, V b) => a & b;

    public static V V128AndNot(V a, V b) => Vector128.AndNot(a, b);

    public static V V128Or(V a, V b) => a | b;

    public static V V128Xor(V a, V b) => a ^ b;

    public static V V128Bitselect(V a, V b, V mask) => Vector128.ConditionalSelect(mask, a, b);

    public static bool V128AnyTrue(V a) => a != V.Zero;
}
