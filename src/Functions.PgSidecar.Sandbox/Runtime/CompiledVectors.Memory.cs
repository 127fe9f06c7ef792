using System.Runtime.Intrinsics;
using V = System.Runtime.Intrinsics.Vector128<byte>;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Loads that change what they read, and loads and stores of one lane.</summary>
public static unsafe partial class CompiledVectors
{
    public static V V128Load8x8S(long value) => Vector128.WidenLower(Vector128.CreateScalar(value).AsSByte()).AsByte();

    public static V V128Load8x8U(long value) => Vector128.WidenLower(Vector128.CreateScalar(value).AsByte()).AsByte();

    public static V V128Load16x4S(long value) => Vector128.WidenLower(Vector128.CreateScalar(value).AsInt16()).AsByte();

    public static V V128Load16x4U(long value) => Vector128.WidenLower(Vector128.CreateScalar(value).AsUInt16()).AsByte();

    public static V V128Load32x2S(long value) => Vector128.WidenLower(Vector128.CreateScalar(value).AsInt32()).AsByte();

    public static V V128Load32x2U(long value) => Vector128.WidenLower(Vector128.CreateScalar(value).AsUInt32()).AsByte();

    public static V V128Load8Lane(nint address, V a, int lane) => a.WithElement(lane, *(byte*)address);

    public static V V128Load16Lane(nint address, V a, int lane) => a.AsUInt16().WithElement(lane, *(ushort*)address).AsByte();

    public static V V128Load32Lane(nint address, V a, int lane) => a.AsUInt32().WithElement(lane, *(uint*)address).AsByte();

    public static V V128Load64Lane(nint address, V a, int lane) => a.AsUInt64().WithElement(lane, *(ulong*)address).AsByte();

    public static void V128Store8Lane(nint address, V a, int lane) => *(byte*)address = a.GetElement(lane);

    public static void V128Store16Lane(nint address, V a, int lane) => *(ushort*)address = a.AsUInt16().GetElement(lane);

    public static void V128Store32Lane(nint address, V a, int lane) => *(uint*)address = a.AsUInt32().GetElement(lane);

    public static void V128Store64Lane(nint address, V a, int lane) => *(ulong*)address = a.AsUInt64().GetElement(lane);

    public static V V128Load32Zero(int value) => Vector128.CreateScalar(value).AsByte();

    public static V V128Load64Zero(long value) => Vector128.CreateScalar(value).AsByte();
}
