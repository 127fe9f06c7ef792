using System.Buffers.Binary;
using System.Security.Cryptography;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary><c>wasi:clocks</c> and <c>wasi:random</c>: what differs each time.</summary>
internal static class ClockFunctions
{
    /// <summary>The most random bytes of one call. A byte takes 32 bytes in the values of Wasmtime's C API.</summary>
    private const int MaxRandomBytes = 256 * 1024;

    private const ulong NanosecondsPerSecond = 1_000_000_000;

    [ComponentFunction("wasi:clocks/monotonic-clock", "now")]
    public static void Now(in ComponentCall call) => call.Return(Values.U64(Pollable.Now(ComponentProcess.Of(call))));

    [ComponentFunction("wasi:clocks/monotonic-clock", "resolution")]
    public static void Resolution(in ComponentCall call) => call.Return(Values.U64(WasiTime.Resolution));

    [ComponentFunction("wasi:clocks/monotonic-clock", "subscribe-instant")]
    public static void SubscribeInstant(in ComponentCall call) =>
        call.Return(ComponentProcess.Of(call).New(call, WasiResource.Pollable, Pollable.At(call.U64(0))));

    [ComponentFunction("wasi:clocks/monotonic-clock", "subscribe-duration")]
    public static void SubscribeDuration(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var (now, duration) = (Pollable.Now(process), call.U64(0));
        var instant = duration > ulong.MaxValue - now ? ulong.MaxValue : now + duration;
        call.Return(process.New(call, WasiResource.Pollable, Pollable.At(instant)));
    }

    [ComponentFunction("wasi:clocks/wall-clock", "now")]
    public static void WallNow(in ComponentCall call)
    {
        WasiTime.TryNow(ComponentProcess.Of(call).Environment, WasiTime.Realtime, out var nanoseconds);
        call.Return(DateTime(nanoseconds));
    }

    [ComponentFunction("wasi:clocks/wall-clock", "resolution")]
    public static void WallResolution(in ComponentCall call) => call.Return(DateTime(WasiTime.Resolution));

    [ComponentFunction("wasi:random/random", "get-random-bytes")]
    [ComponentFunction("wasi:random/insecure", "get-insecure-random-bytes")]
    public static void GetBytes(in ComponentCall call)
    {
        if (call.U64(0) > MaxRandomBytes)
            throw new WasmTrapException(TrapKind.Other, $"the component asked for more than {MaxRandomBytes} random bytes at once");
        call.Return(Values.Bytes(RandomNumberGenerator.GetBytes((int)call.U64(0))));
    }

    [ComponentFunction("wasi:random/random", "get-random-u64")]
    [ComponentFunction("wasi:random/insecure", "get-insecure-random-u64")]
    public static void GetNumber(in ComponentCall call) => call.Return(Values.U64(Random()));

    [ComponentFunction("wasi:random/insecure-seed", "insecure-seed")]
    public static void GetSeed(in ComponentCall call) => call.Return(Values.Tuple(Values.U64(Random()), Values.U64(Random())));

    private static ulong Random()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private static ComponentValue DateTime(ulong nanoseconds) =>
        Values.Record(
            ("seconds", Values.U64(nanoseconds / NanosecondsPerSecond)),
            ("nanoseconds", Values.U32((uint)(nanoseconds % NanosecondsPerSecond)))
        );
}
