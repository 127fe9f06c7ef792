using System.Text;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>
/// A request on its way: <c>future-incoming-response</c>. It is sent when the guest waits for it, after the guest has finished its body.
/// </summary>
internal sealed class OutgoingFetch(ComponentProcess process, OutgoingRequest request) : IAwaitable, IDisposable
{
    private HttpReply? reply;
    private bool isTaken;

    /// <inheritdoc/>
    public bool IsSettled => reply is not null;

    /// <inheritdoc/>
    public bool CanSettle => request.Body?.IsFinished != false;

    [ComponentFunction("wasi:http/outgoing-handler", "handle")]
    public static void Handle(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        if (ComponentCall.Inner(call.Argument(1, ComponentKind.Option)) is { } options)
            process.Take<RequestOptions>(call.ResourceOf(options));
        var request = process.Taken<OutgoingRequest>(call, 0);
        call.Return(Values.Ok(process.New(call, WasiResource.FutureIncomingResponse, new OutgoingFetch(process, request))));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]future-incoming-response.subscribe")]
    public static void Subscribe(in ComponentCall call) =>
        call.Return(ComponentProcess.Of(call).New(call, WasiResource.Pollable, Pollable.Of(Borrowed(call))));

    [ComponentFunction(FieldsFunctions.Types, "[method]future-incoming-response.get")]
    public static void Get(in ComponentCall call)
    {
        var fetch = Borrowed(call);
        if (fetch.reply is not { } reply)
        {
            call.Return(Values.None);
            return;
        }
        if (fetch.isTaken)
        {
            call.Return(Values.Some(Values.Error()));
            return;
        }
        fetch.isTaken = true;
        var process = ComponentProcess.Of(call);
        var outcome = reply.Failure is { } failure
            ? Values.Error(ErrorCode(failure))
            : Values.Ok(process.New(call, WasiResource.IncomingResponse, IncomingResponse.Of(reply)));
        call.Return(Values.Some(Values.Ok(outcome)));
    }

    /// <inheritdoc/>
    public void Settle() => reply ??= Send();

    /// <summary>Gives up a response that the guest has not asked for.</summary>
    public void Dispose()
    {
        if (!isTaken && reply is { Failure: null } unused)
            IncomingResponse.Of(unused).Dispose();
    }

    private static OutgoingFetch Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<OutgoingFetch>(call, 0);

    private static ComponentValue ErrorCode(HttpFailure failure) =>
        failure.Kind switch
        {
            HttpFailureKind.Denied => Values.Variant("HTTP-request-denied"),
            HttpFailureKind.TimedOut => Values.Variant("HTTP-response-timeout"),
            _ => Values.Variant("internal-error", Values.Some(Values.Text(failure.Message))),
        };

    private HttpReply Send()
    {
        // The values of headers are bytes; the host takes them as characters.
        var headers = request.Headers.Entries.Select(static entry => (entry.Name, Encoding.Latin1.GetString(entry.Value)));
        var call = new HttpCall(request.Method, request.Url, headers, request.Body?.Bytes ?? default);
        return process.Http.Send(call, process.Environment.Host);
    }
}
