using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>The event of a webhook: what the inbox stores, and the function gets.</summary>
internal static class WebhookEvent
{
    private static readonly JsonWriterOptions Options = new()
    {
        SkipValidation = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Writes the event as JSON in UTF-8.</summary>
    /// <param name="webhook">The webhook.</param>
    /// <param name="request">The request.</param>
    /// <param name="deliveryId">The sender's id of the delivery, or null.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="received">When it was received.</param>
    public static ReadOnlyMemory<byte> Write(
        WebhookDefinition webhook,
        WebhookRequest request,
        string? deliveryId,
        Guid eventId,
        DateTimeOffset received
    )
    {
        var buffer = new ArrayBufferWriter<byte>(1024 + (request.Body.Length * 2));
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        writer.WriteString("trigger"u8, "webhook"u8);
        writer.WriteString("event_id"u8, eventId);
        writer.WriteString("webhook"u8, webhook.Name);
        writer.WriteString("scheme"u8, webhook.Scheme.Name);
        writer.WriteString("id"u8, deliveryId);
        writer.WriteString("url"u8, request.Url);
        WriteHeaders(writer, request);
        WriteBody(writer, request);
        writer.WriteString("timestamp"u8, received.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    /// <summary>Lower-case names; the values of a repeated header are joined by ", ".</summary>
    private static void WriteHeaders(Utf8JsonWriter writer, WebhookRequest request)
    {
        writer.WriteStartObject("headers"u8);
        for (var i = 0; i < request.Headers.Count; i++)
        {
            var name = request.Headers[i].Key;
            if (i > 0 && IsBefore(request, name, i))
                continue;
            writer.WritePropertyName(name);
            writer.WriteStringValue(Joined(request, name, i));
        }
        writer.WriteEndObject();
    }

    private static bool IsBefore(WebhookRequest request, string name, int end)
    {
        for (var i = 0; i < end; i++)
        {
            if (request.Headers[i].Key == name)
                return true;
        }
        return false;
    }

    private static string Joined(WebhookRequest request, string name, int first)
    {
        var value = request.Headers[first].Value;
        for (var i = first + 1; i < request.Headers.Count; i++)
        {
            if (request.Headers[i].Key == name)
                value += ", " + request.Headers[i].Value;
        }
        return value;
    }

    /// <summary>
    /// <c>body</c>: the value of JSON, the fields of a form, else the text; null if it is empty or no text. <c>raw_body</c>: the text as it
    /// was received; of bytes that are no text, <c>raw_body_base64</c>.
    /// </summary>
    private static void WriteBody(Utf8JsonWriter writer, WebhookRequest request)
    {
        var body = request.Body.Span;
        if (!Utf8.IsValid(body))
        {
            writer.WriteNull("body"u8);
            writer.WriteNull("raw_body"u8);
            writer.WriteBase64String("raw_body_base64"u8, body);
            return;
        }
        writer.WritePropertyName("body"u8);
        if (body.IsEmpty)
            writer.WriteNullValue();
        else if (WebhookBody.IsJson(body) && (body.TrimStart(" \t\r\n"u8)[0] is (byte)'{' or (byte)'[' || !WebhookForm.IsForm(request)))
            writer.WriteRawValue(body, skipInputValidation: true); // also where curl calls it a form
        else if (WebhookForm.IsForm(request))
            WriteForm(writer, System.Text.Encoding.UTF8.GetString(body));
        else
            writer.WriteStringValue(body);
        writer.WriteString("raw_body"u8, body);
    }

    /// <summary>An object; a repeated name has an array of its values.</summary>
    private static void WriteForm(Utf8JsonWriter writer, string form)
    {
        writer.WriteStartObject();
        foreach (var field in WebhookForm.Parse(form).GroupBy(static pair => pair.Key, static pair => pair.Value, StringComparer.Ordinal))
        {
            string[] values = [.. field];
            writer.WritePropertyName(field.Key);
            if (values.Length > 1)
                writer.WriteStartArray();
            foreach (var value in values)
                writer.WriteStringValue(value);
            if (values.Length > 1)
                writer.WriteEndArray();
        }
        writer.WriteEndObject();
    }
}
