using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Arithmetic on lanes of integers.</summary>
public static partial class CompiledVectors
{
    public static V I8x16Abs(V a) => Vector128.Abs(a.AsSByte()).AsByte();

    public static V I8x16Neg(V a) => (-a.AsSByte()).AsByte();

    public static V I8x16Popcnt(V a) =>
        Vector128.Shuffle(BitsOfNibble(), a & LowNibble()) + Vector128.Shuffle(BitsOfNibble(), (a.AsUInt16() >>> 4).AsByte() & LowNibble());

    public static bool I8x16AllTrue(V a) => !Vector128.EqualsAny(a.AsSByte(), Vector128<sbyte>.Zero);

    public static int I8x16Bitmask(V a) => (int)Vector128.ExtractMostSignificantBits(a.AsSByte());

    public static V I8x16Shl(V a, int count) => (a.AsSByte() << (count & 7)).AsByte();

    public static V I8x16ShrS(V a, int count) => (a.AsSByte() >> (count & 7)).AsByte();

    public static V I8x16ShrU(V a, int count) => a >>> (count & 7);

    public static V I8x16Add(V a, V b) => (a.AsSByte() + b.AsSByte()).AsByte();

    public static V I8x16AddSatS(V a, V b) => Vector128.AddSaturate(a.AsSByte(), b.AsSByte()).AsByte();

    public static V I8x16AddSatU(V a, V b) => Vector128.AddSaturate(a, b);

    public static V I8x16Sub(V a, V b) => (a.AsSByte() - b.AsSByte()).AsByte();

    public static V I8x16SubSatS(V a, V b) => Vector128.SubtractSaturate(a.AsSByte(), b.AsSByte()).AsByte();

    public static V I8x16SubSatU(V a, V b) => Vector128.SubtractSaturate(a, b);

    public static V I8x16MinS(V a, V b) => Vector128.Min(a.AsSByte(), b.AsSByte()).AsByte();

    public static V I8x16MinU(V a, V b) => Vector128.Min(a, b);

    public static V I8x16MaxS(V a, V b) => Vector128.Max(a.AsSByte(), b.AsSByte()).AsByte();

    public static V I8x16MaxU(V a, V b) => Vector128.Max(a, b);

    public static V I8x16AvgrU(V a, V b) => Average(a, b);

    public static V I16x8ExtAddPairwiseI8x16S(V a) => ((a.AsInt16() << 8 >> 8) + (a.AsInt16() >> 8)).AsByte();

    public static V I16x8ExtAddPairwiseI8x16U(V a) => ((a.AsUInt16() & Vector128.Create((ushort)0xFF)) + (a.AsUInt16() >>> 8)).AsByte();

    public static V I32x4ExtAddPairwiseI16x8S(V a) => ((a.AsInt32() << 16 >> 16) + (a.AsInt32() >> 16)).AsByte();

    public static V I32x4ExtAddPairwiseI16x8U(V a) => ((a.AsUInt32() & Vector128.Create(0xFFFFu)) + (a.AsUInt32() >>> 16)).AsByte();

    public static V I16x8Abs(V a) => Vector128.Abs(a.AsInt16()).AsByte();

    public static V I16x8Neg(V a) => (-a.AsInt16()).AsByte();

    public static V I16x8Q15MulrSatS(V a, V b) =>
        Vector128.NarrowWithSaturation(
            RoundedQ15(Vector128.WidenLower(a.AsInt16()), Vector128.WidenLower(b.AsInt16())),
            RoundedQ15(Vector128.WidenUpper(a.AsInt16()), Vector128.WidenUpper(b.AsInt16()))).AsByte();

    public static bool I16x8AllTrue(V a) => !Vector128.EqualsAny(a.AsInt16(), Vector128<short>.Zero);

    public static int I16x8Bitmask(V a) => (int)Vector128.ExtractMostSignificantBits(a.AsInt16());

    public static V I16x8Shl(V a, int count) => (a.AsInt16() << (count & 15)).AsByte();

    public static V I16x8ShrS(V a, int count) => (a.AsInt16() >> (count & 15)).AsByte();

    public static V I16x8ShrU(V a, int count) => (a.AsUInt16() >>> (count & 15)).AsByte();

    public static V I16x8Add(V a, V b) => (a.AsInt16() + b.AsInt16()).AsByte();

    public static V I16x8AddSatS(V a, V b) => Vector128.AddSaturate(a.AsInt16(), b.AsInt16()).AsByte();

    public static V I16x8AddSatU(V a, V b) => Vector128.AddSaturate(a.AsUInt16(), b.AsUInt16()).AsByte();

    public static V I16x8Sub(V a, V b) => (a.AsInt16() - b.AsInt16()).AsByte();

    public static V I16x8SubSatS(V a, V b) => Vector128.SubtractSaturate(a.AsInt16(), b.AsInt16()).AsByte();

    public static V I16x8SubSatU(V a, V b) => Vector128.SubtractSaturate(a.AsUInt16(), b.AsUInt16()).AsByte();

    public static V I16x8Mul(V a, V b) => (a.AsInt16() * b.AsInt16()).AsByte();

    public static V I16x8MinS(V a, V b) => Vector128.Min(a.AsInt16(), b.AsInt16()).AsByte();

    public static V I16x8MinU(V a, V b) => Vector128.Min(a.AsUInt16(), b.AsUInt16()).AsByte();

    public static V I16x8MaxS(V a, V b) => Vector128.Max(a.AsInt16(), b.AsInt16()).AsByte();

    public static V I16x8MaxU(V a, V b) => Vector128.Max(a.AsUInt16(), b.AsUInt16()).AsByte();

    public static V I16x8AvgrU(V a, V b) => Average(a.AsUInt16(), b.AsUInt16()).AsByte();

    public static V I16x8ExtMulLowI8x16S(V a, V b) => (Vector128.WidenLower(a.AsSByte()) * Vector128.WidenLower(b.AsSByte())).AsByte();

    public static V I16x8ExtMulHighI8x16S(V a, V b) => (Vector128.WidenUpper(a.AsSByte()) * Vector128.WidenUpper(b.AsSByte())).AsByte();

    public static V I16x8ExtMulLowI8x16U(V a, V b) => (Vector128.WidenLower(a) * Vector128.WidenLower(b)).AsByte();

    public static V I16x8ExtMulHighI8x16U(V a, V b) => (Vector128.WidenUpper(a) * Vector128.WidenUpper(b)).AsByte();

    public static V I32x4Abs(V a) => Vector128.Abs(a.AsInt32()).AsByte();

    public static V I32x4Neg(V a) => (-a.AsInt32()).AsByte();

    public static bool I32x4AllTrue(V a) => !Vector128.EqualsAny(a.AsInt32(), Vector128<int>.Zero);

    public static int I32x4Bitmask(V a) => (int)Vector128.ExtractMostSignificantBits(a.AsInt32());

    public static V I32x4Shl(V a, int count) => (a.AsInt32() << (count & 31)).AsByte();

    public static V I32x4ShrS(V a, int count) => (a.AsInt32() >> (count & 31)).AsByte();

    public static V I32x4ShrU(V a, int count) => (a.AsUInt32() >>> (count & 31)).AsByte();

    public static V I32x4Add(V a, V b) => (a.AsInt32() + b.AsInt32()).AsByte();

    public static V I32x4Sub(V a, V b) => (a.AsInt32() - b.AsInt32()).AsByte();

    public static V I32x4Mul(V a, V b) => (a.AsInt32() * b.AsInt32()).AsByte();

    public static V I32x4MinS(V a, V b) => Vector128.Min(a.AsInt32(), b.AsInt32()).AsByte();

    public static V I32x4MinU(V a, V b) => Vector128.Min(a.AsUInt32(), b.AsUInt32()).AsByte();

    public static V I32x4MaxS(V a, V b) => Vector128.Max(a.AsInt32(), b.AsInt32()).AsByte();

    public static V I32x4MaxU(V a, V b) => Vector128.Max(a.AsUInt32(), b.AsUInt32()).AsByte();

    public static V I32x4ExtMulLowI16x8S(V a, V b) => (Vector128.WidenLower(a.AsInt16()) * Vector128.WidenLower(b.AsInt16())).AsByte();

    public static V I32x4ExtMulHighI16x8S(V a, V b) => (Vector128.WidenUpper(a.AsInt16()) * Vector128.WidenUpper(b.AsInt16())).AsByte();

    public static V I32x4ExtMulLowI16x8U(V a, V b) => (Vector128.WidenLower(a.AsUInt16()) * Vector128.WidenLower(b.AsUInt16())).AsByte();

    public static V I32x4ExtMulHighI16x8U(V a, V b) => (Vector128.WidenUpper(a.AsUInt16()) * Vector128.WidenUpper(b.AsUInt16())).AsByte();

    public static V I64x2Abs(V a) => Vector128.Abs(a.AsInt64()).AsByte();

    public static V I64x2Neg(V a) => (-a.AsInt64()).AsByte();

    public static bool I64x2AllTrue(V a) => !Vector128.EqualsAny(a.AsInt64(), Vector128<long>.Zero);

    public static int I64x2Bitmask(V a) => (int)Vector128.ExtractMostSignificantBits(a.AsInt64());

    public static V I64x2Shl(V a, int count) => (a.AsInt64() << (count & 63)).AsByte();

    public static V I64x2ShrS(V a, int count) => (a.AsInt64() >> (count & 63)).AsByte();

    public static V I64x2ShrU(V a, int count) => (a.AsUInt64() >>> (count & 63)).AsByte();

    public static V I64x2Add(V a, V b) => (a.AsInt64() + b.AsInt64()).AsByte();

    public static V I64x2Sub(V a, V b) => (a.AsInt64() - b.AsInt64()).AsByte();

    public static V I64x2Mul(V a, V b) => (a.AsInt64() * b.AsInt64()).AsByte();

    public static V I64x2ExtMulLowI32x4S(V a, V b) => (Vector128.WidenLower(a.AsInt32()) * Vector128.WidenLower(b.AsInt32())).AsByte();

    public static V I64x2ExtMulHighI32x4S(V a, V b) => (Vector128.WidenUpper(a.AsInt32()) * Vector128.WidenUpper(b.AsInt32())).AsByte();

    public static V I64x2ExtMulLowI32x4U(V a, V b) => (Vector128.WidenLower(a.AsUInt32()) * Vector128.WidenLower(b.AsUInt32())).AsByte();

    public static V I64x2ExtMulHighI32x4U(V a, V b) => (Vector128.WidenUpper(a.AsUInt32()) * Vector128.WidenUpper(b.AsUInt32())).AsByte();

    /// <summary>Products of neighbours, added: 16 bits to 32.</summary>
    public static V I32x4DotI16x8S(V a, V b) =>
        ((a.AsInt32() << 16 >> 16) * (b.AsInt32() << 16 >> 16) + (a.AsInt32() >> 16) * (b.AsInt32() >> 16)).AsByte();

    private static V BitsOfNibble() => Vector128.Create((byte)0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);

    private static V LowNibble() => Vector128.Create((byte)0x0F);

    /// <summary>The average rounded up, without a wider type: what both have, and half of what only one has.</summary>
    private static V Average(V a, V b) => (a | b) - ((a ^ b) >>> 1);

    private static Vector128<ushort> Average(Vector128<ushort> a, Vector128<ushort> b) => (a | b) - ((a ^ b) >>> 1);

    private static Vector128<int> RoundedQ15(Vector128<int> a, Vector128<int> b) => (a * b + Vector128.Create(0x4000)) >> 15;
}
