using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>The JSON in which a guest receives a batch of messages.</summary>
internal static class QueueEnvelope
{
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true };

    /// <summary>Writes the envelope.</summary>
    /// <param name="function">The function that receives it.</param>
    /// <param name="batch">The messages.</param>
    /// <param name="backlog">What waits in the queue, if it was measured.</param>
    /// <param name="caller">The caller that the function runs as.</param>
    /// <param name="now">Wall-clock time, Unix milliseconds.</param>
    public static ReadOnlyMemory<byte> Write(DeployedFunction function, QueueBatch batch, QueueBacklog? backlog, Caller caller, long now)
    {
        var buffer = new ArrayBufferWriter<byte>(512 + batch.Messages.Sum(message => message.Body.Length + 160));
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        writer.WriteString("kind"u8, "event"u8);
        writer.WriteString("trigger"u8, "queue"u8);
        writer.WriteStartObject("event"u8);
        writer.WriteString("trigger"u8, "queue"u8);
        writer.WriteString("queue"u8, batch.Queue);
        writer.WriteStartArray("messages"u8);
        foreach (var message in batch.Messages)
            WriteMessage(writer, message);
        writer.WriteEndArray();
        if (backlog is not null)
        {
            writer.WritePropertyName("metrics"u8);
            WriteBacklog(writer, backlog);
        }
        writer.WriteEndObject();
        writer.WriteString("user_id"u8, caller.Subject);
        writer.WriteString("request_id"u8, batch.Id);
        writer.WritePropertyName("env"u8);
        writer.WriteRawValue(function.EnvironmentJson.Span, skipInputValidation: true);
        writer.WriteNumber("now"u8, now);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    /// <summary>Writes the figures of a queue, with the names of Cloudflare Queues.</summary>
    public static void WriteBacklog(Utf8JsonWriter writer, QueueBacklog backlog)
    {
        writer.WriteStartObject();
        writer.WriteNumber("backlogCount"u8, backlog.Count);
        writer.WriteNumber("backlogBytes"u8, backlog.Bytes);
        if (backlog.Oldest is { } oldest)
            writer.WriteString("oldestMessageTimestamp"u8, Text(oldest));
        writer.WriteEndObject();
    }

    private static void WriteMessage(Utf8JsonWriter writer, QueueMessage message)
    {
        writer.WriteStartObject();
        writer.WriteString("id"u8, message.Id.ToString(CultureInfo.InvariantCulture));
        writer.WriteString("timestamp"u8, Text(message.SentAt));
        writer.WriteNumber("attempts"u8, message.Attempt);
        writer.WritePropertyName("body"u8);
        writer.WriteRawValue(message.Body, skipInputValidation: true);
        if (message.Headers is not null)
        {
            writer.WritePropertyName("headers"u8);
            writer.WriteRawValue(message.Headers, skipInputValidation: true);
        }
        writer.WriteEndObject();
    }

    private static string Text(DateTime time) => time.ToUniversalTime().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
