using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>A request that the guest makes.</summary>
internal sealed class OutgoingRequest(HttpFields headers)
{
    private const int MaxText = 16 * 1024;

    public string Method { get; private set; } = "GET";

    public HttpFields Headers => headers;

    /// <summary>The body; <see langword="null"/> if the guest has not asked for it.</summary>
    public OutgoingBody? Body { get; private set; }

    /// <summary>The URL, by the parts that the guest has set.</summary>
    public string Url => $"{Scheme ?? "https"}://{Authority}{Path ?? "/"}";

    private string? Path { get; set; }

    private string? Scheme { get; set; }

    private string? Authority { get; set; }

    [ComponentFunction(FieldsFunctions.Types, "[constructor]outgoing-request")]
    public static void New(in ComponentCall call)
    {
        var process = ComponentProcess.Of(call);
        var headers = process.Taken<HttpFields>(call, 0);
        headers.IsImmutable = true;
        call.Return(process.New(call, WasiResource.OutgoingRequest, new OutgoingRequest(headers)));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.body")]
    public static void GetBody(in ComponentCall call)
    {
        var request = Borrowed(call);
        if (request.Body is not null)
        {
            call.Return(Values.Error());
            return;
        }
        request.Body = new OutgoingBody();
        call.Return(Values.Ok(ComponentProcess.Of(call).New(call, WasiResource.OutgoingBody, request.Body)));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.method")]
    public static void GetMethod(in ComponentCall call) => call.Return(HttpMethods.Write(Borrowed(call).Method));

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.set-method")]
    public static void SetMethod(in ComponentCall call)
    {
        var request = Borrowed(call);
        var method = HttpMethods.Read(call.Argument(1, ComponentKind.Variant));
        if (method.Length is > 0 and <= 32)
            request.Method = method;
        call.Return(method.Length is > 0 and <= 32 ? Values.Ok() : Values.Error());
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.path-with-query")]
    public static void GetPath(in ComponentCall call) => call.Return(Optional(Borrowed(call).Path));

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.set-path-with-query")]
    public static void SetPath(in ComponentCall call)
    {
        var request = Borrowed(call);
        if (TryText(call, out var path) && path?.StartsWith('/') != false)
        {
            request.Path = path;
            call.Return(Values.Ok());
        }
        else
            call.Return(Values.Error());
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.scheme")]
    public static void GetScheme(in ComponentCall call)
    {
        var scheme = Borrowed(call).Scheme;
        call.Return(scheme is null ? Values.None : Values.Some(Values.Variant(scheme.ToUpperInvariant())));
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.set-scheme")]
    public static void SetScheme(in ComponentCall call)
    {
        var request = Borrowed(call);
        var scheme = ComponentCall.Inner(call.Argument(1, ComponentKind.Option)) is { } given ? ComponentCall.NameOf(given) : null;
        if (scheme is null or "HTTP" or "HTTPS")
            request.Scheme = scheme?.ToLowerInvariant();
        call.Return(scheme is null or "HTTP" or "HTTPS" ? Values.Ok() : Values.Error());
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.authority")]
    public static void GetAuthority(in ComponentCall call) => call.Return(Optional(Borrowed(call).Authority));

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.set-authority")]
    public static void SetAuthority(in ComponentCall call)
    {
        var request = Borrowed(call);
        // The URL is put together as a text: the authority must not reach into its other parts.
        if (TryText(call, out var authority) && authority?.AsSpan().IndexOfAny("/?#@\\") is null or < 0)
        {
            request.Authority = authority;
            call.Return(Values.Ok());
        }
        else
            call.Return(Values.Error());
    }

    [ComponentFunction(FieldsFunctions.Types, "[method]outgoing-request.headers")]
    public static void GetHeaders(in ComponentCall call) => call.Return(FieldsFunctions.Own(call, Borrowed(call).Headers));

    private static bool TryText(in ComponentCall call, out string? text)
    {
        text = ComponentCall.Inner(call.Argument(1, ComponentKind.Option)) is { } given ? ComponentCall.TextOf(given) : null;
        ComponentProcess.Of(call).Keep(text?.Length * sizeof(char) ?? 0);
        return text is null || (text.Length is > 0 and <= MaxText);
    }

    private static ComponentValue Optional(string? text) => text is null ? Values.None : Values.Some(Values.Text(text));

    private static OutgoingRequest Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<OutgoingRequest>(call, 0);
}
