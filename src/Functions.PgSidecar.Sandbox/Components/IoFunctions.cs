using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components;

/// <summary>
/// <c>wasi:io/streams</c> and <c>wasi:io/error</c>. Input comes from memory or is waited for, output is taken at once; so streams are
/// always ready, and no call differs from its blocking form.
/// </summary>
internal static class IoFunctions
{
    /// <summary>The most bytes of one read or write. A byte takes 32 bytes in the values of Wasmtime's C API.</summary>
    public const int MaxBytes = 64 * 1024;

    private const string Streams = "wasi:io/streams";

    [ComponentFunction("wasi:io/error", "[method]error.to-debug-string")]
    public static void ToDebugString(in ComponentCall call)
    {
        ComponentProcess.Of(call).Borrowed<string>(call, 0);
        call.Return(Values.Text("error"));
    }

    [ComponentFunction(Streams, "[method]input-stream.read")]
    [ComponentFunction(Streams, "[method]input-stream.blocking-read")]
    public static void Read(in ComponentCall call)
    {
        var bytes = Next(call);
        call.Return(bytes is { } some ? Values.Ok(Values.Bytes(some.Span)) : Closed());
    }

    [ComponentFunction(Streams, "[method]input-stream.skip")]
    [ComponentFunction(Streams, "[method]input-stream.blocking-skip")]
    public static void Skip(in ComponentCall call)
    {
        var bytes = Next(call);
        call.Return(bytes is { } some ? Values.Ok(Values.U64((ulong)some.Length)) : Closed());
    }

    [ComponentFunction(Streams, "[method]output-stream.check-write")]
    public static void CheckWrite(in ComponentCall call)
    {
        Sink(call);
        call.Return(Values.Ok(Values.U64(MaxBytes)));
    }

    [ComponentFunction(Streams, "[method]output-stream.write")]
    [ComponentFunction(Streams, "[method]output-stream.blocking-write-and-flush")]
    public static void Write(in ComponentCall call)
    {
        var sink = Sink(call);
        if (call.List(1).Length > MaxBytes)
            throw TooMuch();
        sink(call.Bytes(1));
        call.Return(Values.Ok());
    }

    [ComponentFunction(Streams, "[method]output-stream.write-zeroes")]
    [ComponentFunction(Streams, "[method]output-stream.blocking-write-zeroes-and-flush")]
    public static void WriteZeroes(in ComponentCall call)
    {
        var sink = Sink(call);
        if (call.U64(1) > MaxBytes)
            throw TooMuch();
        sink(new byte[call.U64(1)]);
        call.Return(Values.Ok());
    }

    [ComponentFunction(Streams, "[method]output-stream.flush")]
    [ComponentFunction(Streams, "[method]output-stream.blocking-flush")]
    public static void Flush(in ComponentCall call)
    {
        Sink(call);
        call.Return(Values.Ok());
    }

    [ComponentFunction(Streams, "[method]output-stream.splice")]
    [ComponentFunction(Streams, "[method]output-stream.blocking-splice")]
    public static void Splice(in ComponentCall call)
    {
        var sink = Sink(call);
        var source = ComponentProcess.Of(call).Borrowed<ByteSource>(call, 1);
        var bytes = source.Read((int)Math.Min(call.U64(2), MaxBytes));
        if (bytes.IsEmpty && call.U64(2) > 0)
        {
            call.Return(Closed());
            return;
        }
        sink(bytes.Span);
        call.Return(Values.Ok(Values.U64((ulong)bytes.Length)));
    }

    [ComponentFunction(Streams, "[method]input-stream.subscribe")]
    public static void SubscribeInput(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        process.Borrowed<ByteSource>(call, 0);
        call.Return(process.New(call, WasiResource.Pollable, Pollable.Ready));
    }

    [ComponentFunction(Streams, "[method]output-stream.subscribe")]
    public static void SubscribeOutput(in ComponentCall call)
    {
        Sink(call);
        call.Return(ComponentProcess.Of(call).New(call, WasiResource.Pollable, Pollable.Ready));
    }

    /// <summary>The bytes of a read; <see langword="null"/> at the end of the stream.</summary>
    private static ReadOnlyMemory<byte>? Next(in ComponentCall call)
    {
        var source = ComponentProcess.Of(call).Borrowed<ByteSource>(call, 0);
        var length = (int)Math.Min(call.U64(1), MaxBytes);
        if (length == 0)
            return ReadOnlyMemory<byte>.Empty;
        var bytes = source.Read(length);
        // A conditional expression would make an empty memory of null.
        if (bytes.IsEmpty)
            return null;
        return bytes;
    }

    private static ByteSink Sink(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<ByteSink>(call, 0);

    private static ComponentValue Closed() => Values.Error(Values.Variant("closed"));

    private static WasmTrapException TooMuch() =>
        new(TrapKind.Other, $"the component wrote more than the {MaxBytes} bytes that check-write allows");
}
