using System.Buffers;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Modules.Wasi;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>What a module gets of an envelope: its event as JSON, and its variables.</summary>
/// <param name="Json">UTF-8 JSON: the same object that a JavaScript handler gets.</param>
/// <param name="Environment">Variables, each <c>KEY=value</c> and ended by a zero.</param>
/// <param name="IsHttp">Whether the answer is an HTTP response.</param>
internal sealed record ModuleEvent(ReadOnlyMemory<byte> Json, IReadOnlyList<byte[]> Environment, bool IsHttp)
{
    /// <summary>A payload may be nested deeper than the parser's default of 64 levels.</summary>
    public static readonly JsonDocumentOptions Deep = new() { MaxDepth = 10_000 };

    /// <summary>Reads an envelope.</summary>
    /// <param name="envelope">UTF-8 JSON that the host wrote.</param>
    /// <param name="body">The raw body of a request.</param>
    public static ModuleEvent Read(ReadOnlyMemory<byte> envelope, ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(envelope, Deep);
        var root = document.RootElement;
        var json = IsRequest(root) ? WriteRequest(root, body) : EventOf(root);
        return new ModuleEvent(json, VariablesOf(root), IsAnswered(root));
    }

    /// <summary>Whether an envelope has an HTTP request.</summary>
    public static bool IsRequest(JsonElement envelope) => envelope.GetProperty("kind"u8).ValueEquals("http"u8);

    /// <summary>Whether the answer to an envelope is an HTTP response.</summary>
    public static bool IsAnswered(JsonElement envelope) => IsRequest(envelope) || envelope.TryGetProperty("answers"u8, out _);

    /// <summary>The event of an envelope without a request, as JSON.</summary>
    public static byte[] EventOf(JsonElement envelope) => Encoding.UTF8.GetBytes(envelope.GetProperty("event"u8).GetRawText());

    /// <summary>The variables of an envelope, each <c>KEY=value</c> and ended by a zero.</summary>
    public static byte[][] VariablesOf(JsonElement envelope) =>
        [
            .. envelope
                .GetProperty("env"u8)
                .EnumerateObject()
                // Bindings that the function names are for JavaScript.
                .Where(variable => variable.Value.ValueKind == JsonValueKind.String)
                .Select(variable => WasiProcess.Terminated($"{variable.Name}={variable.Value.GetString()}")),
        ];

    private static ReadOnlyMemory<byte> WriteRequest(JsonElement root, ReadOnlyMemory<byte> body)
    {
        var request = root.GetProperty("request"u8);
        var json = new ArrayBufferWriter<byte>(1024 + body.Length);
        using var writer = new Utf8JsonWriter(json, new JsonWriterOptions { SkipValidation = true });
        writer.WriteStartObject();
        Copy(writer, root, "trigger"u8);
        Copy(writer, request, "method"u8);
        Copy(writer, root, "path"u8);
        WriteHeaders(writer, request.GetProperty("headers"u8));
        Copy(writer, root, "query"u8);
        WriteBody(writer, body);
        Copy(writer, root, "user_id"u8);
        Copy(writer, root, "request_id"u8);
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }

    private static void Copy(Utf8JsonWriter writer, JsonElement from, ReadOnlySpan<byte> member)
    {
        writer.WritePropertyName(member);
        if (from.TryGetProperty(member, out var value))
            value.WriteTo(writer);
        else
            writer.WriteNullValue();
    }

    /// <summary>Writes headers as an object with lower-case names; the values of a repeated header are joined.</summary>
    private static void WriteHeaders(Utf8JsonWriter writer, JsonElement pairs)
    {
        writer.WriteStartObject("headers"u8);
        foreach (var header in pairs.EnumerateArray().GroupBy(pair => pair[0].GetString()!.ToLowerInvariant(), pair => pair[1].GetString()))
            writer.WriteString(header.Key, string.Join(", ", header));
        writer.WriteEndObject();
    }

    /// <summary>
    /// Writes <c>body</c>: the value if it is JSON, else the text, null for an empty body. Bytes that are no text become
    /// <c>body_base64</c>.
    /// </summary>
    private static void WriteBody(Utf8JsonWriter writer, ReadOnlyMemory<byte> body)
    {
        if (body.IsEmpty)
        {
            writer.WriteNull("body"u8);
        }
        else if (!System.Text.Unicode.Utf8.IsValid(body.Span))
        {
            writer.WriteNull("body"u8);
            writer.WriteBase64String("body_base64"u8, body.Span);
        }
        else if (JsonText.IsValue(body.Span))
        {
            writer.WritePropertyName("body"u8);
            writer.WriteRawValue(body.Span, skipInputValidation: true);
        }
        else
        {
            writer.WriteString("body"u8, body.Span);
        }
    }
}
