using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>The response to a request of the guest.</summary>
internal sealed class IncomingResponse(ushort status, HttpFields headers, ByteSource body) : IDisposable
{
    private bool isConsumed;

    private ushort Status => status;

    private HttpFields Headers => headers;

    private ByteSource Body => body;

    /// <summary>The response that the host has received.</summary>
    public static IncomingResponse Of(HttpReply reply)
    {
        Func<ReadOnlyMemory<byte>>? more = reply.ReadMore is { } read ? () => read() ?? Fail() : null;
        return new IncomingResponse(reply.Status, HttpFields.Of(reply.Headers), new ByteSource(reply.Body, more, reply.Cancel));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-response.status")]
    public static void GetStatus(in ComponentCall call) => call.Return(Values.U16(Borrowed(call).Status));

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-response.headers")]
    public static void GetHeaders(in ComponentCall call) => call.Return(FieldsFunctions.Own(call, Borrowed(call).Headers));

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-response.consume")]
    public static void Consume(in ComponentCall call)
    {
        var response = Borrowed(call);
        if (response.isConsumed)
        {
            call.Return(Values.Error());
            return;
        }
        response.isConsumed = true;
        call.Return(Values.Ok(ComponentProcess.Of(call).New(call, WasiResource.IncomingBody, new IncomingBody(response.Body))));
    }

    /// <summary>Gives up a body that the guest has not asked for.</summary>
    public void Dispose()
    {
        if (!isConsumed)
            body.Dispose();
    }

    private static IncomingResponse Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<IncomingResponse>(call, 0);

    private static ReadOnlyMemory<byte> Fail() =>
        throw new GuestException(new GuestError("TypeError", "The body of a response ended before it was complete."));
}
