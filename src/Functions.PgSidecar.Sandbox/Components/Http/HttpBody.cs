using System.Buffers;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>A body that the guest reads, once.</summary>
internal sealed class IncomingBody(ByteSource source) : IDisposable
{
    private bool isStreamed;

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-body.stream")]
    public static void Stream(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var body = process.Borrowed<IncomingBody>(call, 0);
        call.Return(body.isStreamed ? Values.Error() : Values.Ok(process.New(call, WasiResource.InputStream, body.Source)));
        body.isStreamed = true;
    }

    [ComponentFunction(FieldsFunctions.Types, "[static]incoming-body.finish")]
    public static void Finish(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        process.Taken<IncomingBody>(call, 0).Dispose();
        call.Return(process.New(call, WasiResource.FutureTrailers, new NoTrailers()));
    }

    private ByteSource Source => source;

    /// <summary>Gives up a body that has not been read. One that is being read belongs to its stream.</summary>
    public void Dispose()
    {
        if (!isStreamed)
            source.Dispose();
    }
}

/// <summary>The trailers of a body that has arrived: always none.</summary>
internal sealed class NoTrailers
{
    private bool isTaken;

    [ComponentFunction(FieldsFunctions.Types, "[method]future-trailers.subscribe")]
    public static void Subscribe(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        process.Borrowed<NoTrailers>(call, 0);
        call.Return(process.New(call, WasiResource.Pollable, Pollable.Ready));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]future-trailers.get")]
    public static void Get(in ComponentCall call)
    {
        var trailers = ComponentProcess.Of(call).Borrowed<NoTrailers>(call, 0);
        call.Return(Values.Some(trailers.isTaken ? Values.Error() : Values.Ok(Values.Ok(Values.None))));
        trailers.isTaken = true;
    }
}

/// <summary>A body that the guest writes, once, and then finishes.</summary>
internal sealed class OutgoingBody
{
    private readonly ArrayBufferWriter<byte> bytes = new();
    private bool isWritten;

    /// <summary>Whether the guest has finished it.</summary>
    public bool IsFinished { get; private set; }

    public ReadOnlyMemory<byte> Bytes => bytes.WrittenMemory;

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-body.write")]
    public static void Write(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var body = process.Borrowed<OutgoingBody>(call, 0);
        ByteSink sink = written => body.Take(process, written);
        call.Return(body.isWritten ? Values.Error() : Values.Ok(process.New(call, WasiResource.OutputStream, sink)));
        body.isWritten = true;
    }

    /// <summary>Finishes the body. Trailers are dropped: HTTP/1.1 clients rarely read them.</summary>
    [ComponentFunction(FieldsFunctions.Types, "[static]outgoing-body.finish")]
    public static void Finish(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        if (ComponentCall.Inner(call.Argument(1, ComponentKind.Option)) is { } trailers)
            process.Take<HttpFields>(call.ResourceOf(trailers));
        process.Taken<OutgoingBody>(call, 0).IsFinished = true;
        call.Return(Values.Ok());
    }

    private void Take(ComponentProcess process, ReadOnlySpan<byte> written)
    {
        if (bytes.WrittenCount + written.Length > WasiProcess.MaxOutput)
        {
            var message = $"The component wrote more than {WasiProcess.MaxOutput >> 20} MB to a body.";
            throw new GuestException(new GuestError("Error", message, Code: "PGFN4414"));
        }
        process.Keep(written.Length);
        bytes.Write(written);
    }
}
