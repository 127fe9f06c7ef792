using System.Buffers;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Components.Http;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Fetch;

/// <summary>
/// Sends the requests of components by the operation <c>fetch</c> of every function, so that the same hosts are allowed and the same limits
/// apply.
/// </summary>
internal sealed class ComponentHttp : IOutgoingHttp
{
    /// <inheritdoc/>
    public HttpReply Send(HttpCall request, IOperations operations)
    {
        var end = operations.Call("fetch", Arguments(request), request.Body);
        return end.Succeeded ? Reply(end, operations) : new HttpReply { Failure = Failure(end.Result) };
    }

    private static HttpReply Reply(in OperationEnd end, IOperations operations)
    {
        using var document = JsonDocument.Parse(end.Result);
        var root = document.RootElement;
        var reply = new HttpReply
        {
            Status = (ushort)root.GetProperty("status"u8).GetInt32(),
            Headers =
            [
                .. root.GetProperty("headers"u8).EnumerateArray().Select(static pair => (pair[0].GetString()!, pair[1].GetString()!)),
            ],
            Body = end.Payload,
        };
        if (!root.TryGetProperty("stream"u8, out var stream))
            return reply;
        var arguments = Encoding.UTF8.GetBytes($$"""{"stream":{{stream.GetInt32()}}}""");
        return reply with
        {
            ReadMore = () => operations.Call("fetch.read", arguments, default) is { Succeeded: true } next ? next.Payload : null,
            Cancel = () => operations.Call("fetch.cancel", arguments, default),
        };
    }

    private static HttpFailure Failure(ReadOnlyMemory<byte> error)
    {
        using var document = JsonDocument.Parse(error);
        var root = document.RootElement;
        var kind = (root.TryGetProperty("code"u8, out var code) ? code.GetString() : null) switch
        {
            "PGFN5202" => HttpFailureKind.Denied,
            "PGFN5206" => HttpFailureKind.TimedOut,
            _ => HttpFailureKind.Failed,
        };
        return new HttpFailure(kind, root.GetProperty("message"u8).GetString() ?? "");
    }

    private static ReadOnlyMemory<byte> Arguments(HttpCall request)
    {
        var json = new ArrayBufferWriter<byte>(512);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        writer.WriteString("url"u8, request.Url);
        writer.WriteString("method"u8, request.Method);
        // A component follows redirects itself.
        writer.WriteString("redirect"u8, "manual"u8);
        writer.WriteStartArray("headers"u8);
        foreach (var (name, value) in request.Headers)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(name);
            writer.WriteStringValue(value);
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
