using System.Text.Json;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>The request that a component answers: an HTTP request, or any other event as a POST of its JSON.</summary>
internal sealed class IncomingRequest(string method, Uri url, HttpFields headers, ReadOnlyMemory<byte> body)
{
    private bool isConsumed;

    private string Method => method;

    private Uri Url => url;

    private HttpFields Headers => headers;

    /// <summary>Reads the envelope of an HTTP request.</summary>
    public static IncomingRequest Of(JsonElement envelope, ReadOnlyMemory<byte> body)
    {
        var request = envelope.GetProperty("request"u8);
        var headers = request.GetProperty("headers"u8).EnumerateArray().Select(static pair => (pair[0].GetString()!, pair[1].GetString()!));
        var url = new Uri(request.GetProperty("url"u8).GetString()!, UriKind.Absolute);
        return new IncomingRequest(request.GetProperty("method"u8).GetString()!, url, HttpFields.Of(headers), body);
    }

    /// <summary>A request for an event of another kind.</summary>
    public static IncomingRequest OfEvent(ReadOnlyMemory<byte> json) =>
        new("POST", new Uri("http://pgfn.internal/"), HttpFields.Of([("content-type", "application/json")]), json);

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-request.method")]
    public static void GetMethod(in ComponentCall call)
    {
        var request = Borrowed(call);
        call.Return(HttpMethods.Write(request.Method));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-request.path-with-query")]
    public static void GetPath(in ComponentCall call) => call.Return(Values.Some(Values.Text(Borrowed(call).Url.PathAndQuery)));

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-request.scheme")]
    public static void GetScheme(in ComponentCall call) =>
        call.Return(Values.Some(Values.Variant(Borrowed(call).Url.Scheme == Uri.UriSchemeHttps ? "HTTPS" : "HTTP")));

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-request.authority")]
    public static void GetAuthority(in ComponentCall call) => call.Return(Values.Some(Values.Text(Borrowed(call).Url.Authority)));

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-request.headers")]
    public static void GetHeaders(in ComponentCall call) => call.Return(FieldsFunctions.Own(call, Borrowed(call).Headers));

    [ComponentFunction(FieldsFunctions.Types, "[method]incoming-request.consume")]
    public static void Consume(in ComponentCall call)
    {
        var request = Borrowed(call);
        if (request.isConsumed)
        {
            call.Return(Values.Error());
            return;
        }
        request.isConsumed = true;
        var source = new IncomingBody(new ByteSource(request.Body));
        call.Return(Values.Ok(ComponentProcess.Of(call).New(call, WasiResource.IncomingBody, source)));
    }

    private ReadOnlyMemory<byte> Body => body;

    private static IncomingRequest Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<IncomingRequest>(call, 0);
}
