using System.Buffers;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>
/// A request on its way: <c>future-incoming-response</c>. It is the operation <c>fetch</c> of every function, with the same rules for
/// hosts. It is sent when the guest waits for it, after the guest has finished its body.
/// </summary>
internal sealed class OutgoingFetch(ComponentProcess process, OutgoingRequest request) : IAwaitable, IDisposable
{
    private OperationEnd? end;
    private bool isTaken;

    /// <inheritdoc/>
    public bool IsSettled => end is not null;

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
        if (fetch.end is not { } end)
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
        var outcome = end.Succeeded
            ? Values.Ok(process.New(call, WasiResource.IncomingResponse, IncomingResponse.Of(process, end)))
            : Values.Error(Failure(end.Result));
        call.Return(Values.Some(Values.Ok(outcome)));
    }

    /// <inheritdoc/>
    public void Settle() => end ??= process.Environment.Host.Call("fetch", Arguments(), request.Body?.Bytes ?? default);

    /// <summary>Gives up a response that the guest has not asked for.</summary>
    public void Dispose()
    {
        if (!isTaken && end is { Succeeded: true } unused)
            IncomingResponse.Of(process, unused).Dispose();
    }

    private static OutgoingFetch Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<OutgoingFetch>(call, 0);

    /// <summary>Translates the error of the operation, JSON, into an <c>error-code</c>.</summary>
    private static ComponentValue Failure(ReadOnlyMemory<byte> error)
    {
        using var document = JsonDocument.Parse(error);
        var root = document.RootElement;
        var code = root.TryGetProperty("code"u8, out var given) ? given.GetString() : null;
        return code switch
        {
            "PGFN5202" => Values.Variant("HTTP-request-denied"),
            "PGFN5206" => Values.Variant("HTTP-response-timeout"),
            _ => Values.Variant("internal-error", Values.Some(Values.Text(root.GetProperty("message"u8).GetString() ?? ""))),
        };
    }

    private ReadOnlyMemory<byte> Arguments()
    {
        var json = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        writer.WriteString("url"u8, request.Url);
        writer.WriteString("method"u8, request.Method);
        // A component follows redirects itself.
        writer.WriteString("redirect"u8, "manual"u8);
        writer.WriteStartArray("headers"u8);
        foreach (var (name, value) in request.Headers.Entries)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(name);
            writer.WriteStringValue(Encoding.Latin1.GetString(value));
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}

/// <summary>The response to a request of the guest.</summary>
internal sealed class IncomingResponse(ushort status, HttpFields headers, ByteSource body) : IDisposable
{
    private bool isConsumed;

    private ushort Status => status;

    private HttpFields Headers => headers;

    private ByteSource Body => body;

    /// <summary>Reads the result of the operation.</summary>
    public static IncomingResponse Of(ComponentProcess process, OperationEnd end)
    {
        using var document = JsonDocument.Parse(end.Result);
        var root = document.RootElement;
        var pairs = root.GetProperty("headers"u8).EnumerateArray().Select(static pair => (pair[0].GetString()!, pair[1].GetString()!));
        Func<ReadOnlyMemory<byte>>? more = null;
        Action? cancel = null;
        if (root.TryGetProperty("stream"u8, out var stream))
        {
            var host = process.Environment.Host;
            var arguments = Encoding.UTF8.GetBytes($$"""{"stream":{{stream.GetInt32()}}}""");
            more = () => host.Call("fetch.read", arguments, default) is { Succeeded: true } next ? next.Payload : Fail();
            cancel = () => host.Call("fetch.cancel", arguments, default);
        }
        return new IncomingResponse(
            (ushort)root.GetProperty("status"u8).GetInt32(),
            HttpFields.Of(pairs),
            new ByteSource(end.Payload, more, cancel)
        );
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
