using System.Buffers;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Turns a module's output into an answer, by the same rules as a JavaScript handler's result.</summary>
internal static class ModuleAnswer
{
    private const string Json = "application/json";
    private const string Text = "text/plain;charset=UTF-8";
    private const string Binary = "application/octet-stream";

    /// <summary>The answer to an event.</summary>
    /// <param name="output">The module's output.</param>
    /// <param name="isHttp">Whether the answer is an HTTP response.</param>
    public static GuestAnswer Of(ReadOnlyMemory<byte> output, bool isHttp)
    {
        if (!isHttp)
            return new GuestAnswer(default, ForEvent(output));
        var (head, body) = ForHttp(output);
        return new GuestAnswer(head, body);
    }

    /// <summary>The answer to a request.</summary>
    /// <param name="output">A JSON value, <c>{"statusCode", "headers", "body" or "body_base64"}</c>, a text, or bytes.</param>
    /// <exception cref="GuestException">The output describes no valid response.</exception>
    public static (ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Body) ForHttp(ReadOnlyMemory<byte> output)
    {
        try
        {
            return FromOutput(output);
        }
        catch (InvalidOperationException)
        {
            throw Fault("TypeError", "The answer contains a text that is not valid Unicode: half of a surrogate pair.");
        }
    }

    /// <summary>The result for any other event, as JSON.</summary>
    public static ReadOnlyMemory<byte> ForEvent(ReadOnlyMemory<byte> output)
    {
        if (output.Span.Trim(" \t\r\n"u8).IsEmpty)
            return "null"u8.ToArray();
        return JsonText.IsValue(output.Span) ? output : JsonSerializer.SerializeToUtf8Bytes(Encoding.UTF8.GetString(output.Span));
    }

    private static (ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Body) FromOutput(ReadOnlyMemory<byte> output)
    {
        if (output.Span.Trim(" \t\r\n"u8).IsEmpty)
            return (Head(200, [("content-type", Json)]), "null"u8.ToArray());
        if (!JsonText.IsValue(output.Span))
            return (Head(200, [("content-type", System.Text.Unicode.Utf8.IsValid(output.Span) ? Text : Binary)]), output);
        using var document = JsonDocument.Parse(output);
        var value = document.RootElement;
        if (
            value.ValueKind == JsonValueKind.Object
            && value.TryGetProperty("statusCode"u8, out var status)
            && status.ValueKind == JsonValueKind.Number
        )
            return FromEnvelope(value, status);
        var (body, type) = Encode(value);
        return (Head(200, [("content-type", type)]), body);
    }

    private static (ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Body) FromEnvelope(JsonElement result, JsonElement status)
    {
        if (!status.TryGetInt32(out var code) || code is < 200 or > 599)
            throw Fault("RangeError", $"statusCode must be a whole number from 200 to 599, not {status.GetRawText()}.");
        var headers = new List<(string Name, string Value)>();
        if (result.TryGetProperty("headers"u8, out var given) && given.ValueKind != JsonValueKind.Null)
            ReadHeaders(given, headers);
        var (body, type) = ReadBody(result);
        if (type is not null && !headers.Exists(header => header.Name == "content-type"))
            headers.Add(("content-type", type));
        return (Head(code, headers), body);
    }

    private static (ReadOnlyMemory<byte> Body, string? Type) ReadBody(JsonElement result)
    {
        if (result.TryGetProperty("body_base64"u8, out var encoded))
        {
            return encoded.ValueKind == JsonValueKind.String && encoded.TryGetBytesFromBase64(out var bytes)
                ? (bytes, Binary)
                : throw Fault("TypeError", "body_base64 must be a text in base64.");
        }
        return result.TryGetProperty("body"u8, out var body) && body.ValueKind != JsonValueKind.Null ? Encode(body) : (default, null);
    }

    /// <summary>Encodes a value as a body. A text that is itself a JSON object or array has the type of JSON.</summary>
    private static (ReadOnlyMemory<byte> Body, string Type) Encode(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
            return (Encoding.UTF8.GetBytes(value.GetRawText()), Json);
        var text = Encoding.UTF8.GetBytes(value.GetString()!);
        var first = text.AsSpan().TrimStart(" \t\r\n"u8);
        return (text, first.Length > 0 && first[0] is (byte)'{' or (byte)'[' && JsonText.IsValue(text) ? Json : Text);
    }

    private static void ReadHeaders(JsonElement given, List<(string Name, string Value)> headers)
    {
        if (given.ValueKind != JsonValueKind.Object)
            throw Fault("TypeError", "headers must be an object of names and values.");
        foreach (var header in given.EnumerateObject())
        {
            var name = header.Name.ToLowerInvariant();
            if (header.Value.ValueKind == JsonValueKind.Null)
                continue;
            if (header.Value.ValueKind != JsonValueKind.Array)
                headers.Add((name, HeaderText(name, header.Value)));
            else
                headers.AddRange(header.Value.EnumerateArray().Select(value => (name, HeaderText(name, value))));
        }
    }

    private static string HeaderText(string name, JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
            _ => throw Fault("TypeError", $"The value of header \"{name}\" must be a string, a number, a boolean or an array of these."),
        };

    /// <summary>The head of a response, as JSON.</summary>
    public static ReadOnlyMemory<byte> Head(int status, IEnumerable<(string Name, string Value)> headers)
    {
        var json = new ArrayBufferWriter<byte>(128);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        writer.WriteNumber("status"u8, status);
        writer.WriteStartArray("headers"u8);
        foreach (var (name, value) in headers)
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

    private static GuestException Fault(string name, string message) => new(new GuestError(name, message));
}
