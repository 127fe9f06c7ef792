using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>The answer that a component has set: a response, or an <c>error-code</c>.</summary>
/// <param name="Response">The response; <see langword="null"/> for an error.</param>
/// <param name="Error">The name of the error; <see langword="null"/> for none.</param>
internal sealed record HttpAnswer(OutgoingResponse? Response, string? Error);

/// <summary>A response that the guest makes.</summary>
internal sealed class OutgoingResponse(HttpFields headers)
{
    public ushort Status { get; private set; } = 200;

    public HttpFields Headers => headers;

    /// <summary>The body; <see langword="null"/> if the guest has not asked for it.</summary>
    public OutgoingBody? Body { get; private set; }

    [ComponentFunction(FieldsFunctions.Types, "[constructor]outgoing-response")]
    public static void New(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var headers = process.Taken<HttpFields>(call, 0);
        headers.IsImmutable = true;
        call.Return(process.New(call, WasiResource.OutgoingResponse, new OutgoingResponse(headers)));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-response.status-code")]
    public static void GetStatus(in ComponentCall call) => call.Return(Values.U16(Borrowed(call).Status));

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-response.set-status-code")]
    public static void SetStatus(in ComponentCall call)
    {
        var response = Borrowed(call);
        if (call.U16(1) is < 200 or > 599)
        {
            call.Return(Values.Error());
            return;
        }
        response.Status = call.U16(1);
        call.Return(Values.Ok());
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-response.headers")]
    public static void GetHeaders(in ComponentCall call) => call.Return(FieldsFunctions.Own(call, Borrowed(call).Headers));

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-response.body")]
    public static void GetBody(in ComponentCall call)
    {
        var response = Borrowed(call);
        if (response.Body is not null)
        {
            call.Return(Values.Error());
            return;
        }
        response.Body = new OutgoingBody();
        call.Return(Values.Ok(ComponentProcess.Of(call).New(call, WasiResource.OutgoingBody, response.Body)));
    }

    /// <summary>Keeps the answer. It is sent when the handler has returned, because its body may follow.</summary>
    [ComponentFunction(FieldsFunctions.Types, "[static]response-outparam.set")]
    public static void Set(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        process.Taken<ResponseOutparam>(call, 0);
        var result = call.Argument(1, ComponentKind.Result);
        var value = ComponentCall.Inner(result) ?? throw ComponentCall.WrongType();
        process.Answer =
            result.IsOk == 1
                ? new HttpAnswer(process.Take<OutgoingResponse>(call.ResourceOf(value)), null)
                : new HttpAnswer(null, ComponentCall.NameOf(value));
    }

    private static OutgoingResponse Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<OutgoingResponse>(call, 0);
}

/// <summary>The right to answer, once.</summary>
internal sealed class ResponseOutparam;
