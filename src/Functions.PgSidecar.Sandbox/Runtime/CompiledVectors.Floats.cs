using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Arithmetic on lanes of floats.</summary>
public static partial class CompiledVectors
{
    public static V F32x4Ceil(V a) => Vector128.Ceiling(a.AsSingle()).AsByte();

    public static V F32x4Floor(V a) => Vector128.Floor(a.AsSingle()).AsByte();

    public static V F32x4Trunc(V a) => Vector128.Truncate(a.AsSingle()).AsByte();

    public static V F32x4Nearest(V a) => Vector128.Round(a.AsSingle()).AsByte();

    public static V F64x2Ceil(V a) => Vector128.Ceiling(a.AsDouble()).AsByte();

    public static V F64x2Floor(V a) => Vector128.Floor(a.AsDouble()).AsByte();

    public static V F64x2Trunc(V a) => Vector128.Truncate(a.AsDouble()).AsByte();

    public static V F64x2Nearest(V a) => Vector128.Round(a.AsDouble()).AsByte();

    public static V F32x4Abs(V a) => Vector128.Abs(a.AsSingle()).AsByte();

    public static V F32x4Neg(V a) => (a.AsSingle() ^ Vector128.Create(-0.0f)).AsByte();

    public static V F32x4Sqrt(V a) => Vector128.Sqrt(a.AsSingle()).AsByte();

    public static V F32x4Add(V a, V b) => (a.AsSingle() + b.AsSingle()).AsByte();

    public static V F32x4Sub(V a, V b) => (a.AsSingle() - b.AsSingle()).AsByte();

    public static V F32x4Mul(V a, V b) => (a.AsSingle() * b.AsSingle()).AsByte();

    public static V F32x4Div(V a, V b) => (a.AsSingle() / b.AsSingle()).AsByte();

    public static V F32x4Min(V a, V b) => NumberOr(Vector128.Min(a.AsSingle(), b.AsSingle()), a.AsSingle(), b.AsSingle()).AsByte();

    public static V F32x4Max(V a, V b) => NumberOr(Vector128.Max(a.AsSingle(), b.AsSingle()), a.AsSingle(), b.AsSingle()).AsByte();

    public static V F32x4PMin(V a, V b) =>
        Vector128.ConditionalSelect(Vector128.LessThan(b.AsSingle(), a.AsSingle()), b.AsSingle(), a.AsSingle()).AsByte();

    public static V F32x4PMax(V a, V b) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a.AsSingle(), b.AsSingle()), b.AsSingle(), a.AsSingle()).AsByte();

    public static V F64x2Abs(V a) => Vector128.Abs(a.AsDouble()).AsByte();

    public static V F64x2Neg(V a) => (a.AsDouble() ^ Vector128.Create(-0.0)).AsByte();

    public static V F64x2Sqrt(V a) => Vector128.Sqrt(a.AsDouble()).AsByte();

    public static V F64x2Add(V a, V b) => (a.AsDouble() + b.AsDouble()).AsByte();

    public static V F64x2Sub(V a, V b) => (a.AsDouble() - b.AsDouble()).AsByte();

    public static V F64x2Mul(V a, V b) => (a.AsDouble() * b.AsDouble()).AsByte();

    public static V F64x2Div(V a, V b) => (a.AsDouble() / b.AsDouble()).AsByte();

    public static V F64x2Min(V a, V b) => NumberOr(Vector128.Min(a.AsDouble(), b.AsDouble()), a.AsDouble(), b.AsDouble()).AsByte();

    public static V F64x2Max(V a, V b) => NumberOr(Vector128.Max(a.AsDouble(), b.AsDouble()), a.AsDouble(), b.AsDouble()).AsByte();

    public static V F64x2PMin(V a, V b) =>
        Vector128.ConditionalSelect(Vector128.LessThan(b.AsDouble(), a.AsDouble()), b.AsDouble(), a.AsDouble()).AsByte();

    public static V F64x2PMax(V a, V b) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a.AsDouble(), b.AsDouble()), b.AsDouble(), a.AsDouble()).AsByte();

    /// <summary>The library's minimum and maximum pass a signalling NaN on; adding the operands makes it quiet.</summary>
    private static Vector128<float> NumberOr(Vector128<float> number, Vector128<float> a, Vector128<float> b) =>
        Vector128.ConditionalSelect(Vector128.Equals(a, a) & Vector128.Equals(b, b), number, a + b);

    private static Vector128<double> NumberOr(Vector128<double> number, Vector128<double> a, Vector128<double> b) =>
        Vector128.ConditionalSelect(Vector128.Equals(a, a) & Vector128.Equals(b, b), number, a + b);
}
