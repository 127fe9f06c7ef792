using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Conversions between lanes of different types.</summary>
public static partial class CompiledVectors
{
    public static V F32x4DemoteF64x2Zero(V a) => Vector128.Narrow(a.AsDouble(), Vector128<double>.Zero).AsByte();

    public static V F64x2PromoteLowF32x4(V a) => Vector128.WidenLower(a.AsSingle()).AsByte();

    public static V I8x16NarrowI16x8S(V a, V b) => Vector128.NarrowWithSaturation(a.AsInt16(), b.AsInt16()).AsByte();

    public static V I8x16NarrowI16x8U(V a, V b) => Vector128.Narrow(ToByteRange(a), ToByteRange(b));

    public static V I16x8NarrowI32x4S(V a, V b) => Vector128.NarrowWithSaturation(a.AsInt32(), b.AsInt32()).AsByte();

    public static V I16x8NarrowI32x4U(V a, V b) => Vector128.Narrow(ToUInt16Range(a), ToUInt16Range(b)).AsByte();

    public static V I16x8ExtendLowI8x16S(V a) => Vector128.WidenLower(a.AsSByte()).AsByte();

    public static V I16x8ExtendHighI8x16S(V a) => Vector128.WidenUpper(a.AsSByte()).AsByte();

    public static V I16x8ExtendLowI8x16U(V a) => Vector128.WidenLower(a).AsByte();

    public static V I16x8ExtendHighI8x16U(V a) => Vector128.WidenUpper(a).AsByte();

    public static V I32x4ExtendLowI16x8S(V a) => Vector128.WidenLower(a.AsInt16()).AsByte();

    public static V I32x4ExtendHighI16x8S(V a) => Vector128.WidenUpper(a.AsInt16()).AsByte();

    public static V I32x4ExtendLowI16x8U(V a) => Vector128.WidenLower(a.AsUInt16()).AsByte();

    public static V I32x4ExtendHighI16x8U(V a) => Vector128.WidenUpper(a.AsUInt16()).AsByte();

    public static V I64x2ExtendLowI32x4S(V a) => Vector128.WidenLower(a.AsInt32()).AsByte();

    public static V I64x2ExtendHighI32x4S(V a) => Vector128.WidenUpper(a.AsInt32()).AsByte();

    public static V I64x2ExtendLowI32x4U(V a) => Vector128.WidenLower(a.AsUInt32()).AsByte();

    public static V I64x2ExtendHighI32x4U(V a) => Vector128.WidenUpper(a.AsUInt32()).AsByte();

    public static V I32x4TruncSatF32x4S(V a) => Vector128.ConvertToInt32(a.AsSingle()).AsByte();

    public static V I32x4TruncSatF32x4U(V a) => ToUnsigned(Vector128.ConditionalSelect(
        Vector128.GreaterThan(a.AsSingle(), Vector128<float>.Zero), a.AsSingle(), Vector128<float>.Zero)).AsByte();

    public static V F32x4ConvertI32x4S(V a) => Vector128.ConvertToSingle(a.AsInt32()).AsByte();

    /// <summary>Both halves are exact as floats, so that only their sum is rounded.</summary>
    public static V F32x4ConvertI32x4U(V a) => (
        Vector128.ConvertToSingle((a.AsUInt32() >>> 16).AsInt32()) * Vector128.Create(65536f)
        + Vector128.ConvertToSingle((a.AsUInt32() & Vector128.Create(0xFFFFu)).AsInt32())).AsByte();

    public static V I32x4TruncSatF64x2SZero(V a) =>
        Vector128.Create((int)a.AsDouble().GetElement(0), (int)a.AsDouble().GetElement(1), 0, 0).AsByte();

    public static V I32x4TruncSatF64x2UZero(V a) =>
        Vector128.Create((uint)a.AsDouble().GetElement(0), (uint)a.AsDouble().GetElement(1), 0, 0).AsByte();

    public static V F64x2ConvertLowI32x4S(V a) => Vector128.Create((double)a.AsInt32().GetElement(0), a.AsInt32().GetElement(1)).AsByte();

    public static V F64x2ConvertLowI32x4U(V a) => Vector128.Create((double)a.AsUInt32().GetElement(0), a.AsUInt32().GetElement(1)).AsByte();

    /// <summary>What is beyond the signed range is converted without its highest bit, which is then put back.</summary>
    private static Vector128<int> ToUnsigned(Vector128<float> positive) => Vector128.ConditionalSelect(
        Vector128.GreaterThanOrEqual(positive, Vector128.Create(2147483648f)).AsInt32(),
        Vector128.ConvertToInt32(positive - Vector128.Create(2147483648f)) ^ Vector128.Create(int.MinValue),
        Vector128.ConvertToInt32(positive));

    private static Vector128<ushort> ToByteRange(V a) =>
        Vector128.Min(Vector128.Max(a.AsInt16(), Vector128<short>.Zero), Vector128.Create((short)byte.MaxValue)).AsUInt16();

    private static Vector128<uint> ToUInt16Range(V a) =>
        Vector128.Min(Vector128.Max(a.AsInt32(), Vector128<int>.Zero), Vector128.Create((int)ushort.MaxValue)).AsUInt32();
}
