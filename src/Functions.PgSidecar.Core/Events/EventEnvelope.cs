using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Events;

/// <summary>The JSON in which a guest receives its event or its batch of events.</summary>
internal static class EventEnvelope
{
    private static readonly JsonWriterOptions Options = new() { SkipValidation = true };

    /// <summary>Writes the envelope.</summary>
    /// <param name="function">The function that receives it.</param>
    /// <param name="deliveries">The events.</param>
    /// <param name="asBatch">Whether the function receives <c>{batch: true, events: [...]}</c>. The trigger's batch size decides, not the
    /// number of events.</param>
    /// <param name="caller">The caller that the function runs as.</param>
    /// <param name="now">Wall-clock time, Unix milliseconds.</param>
    public static ReadOnlyMemory<byte> Write(
        DeployedFunction function,
        IReadOnlyList<Delivery> deliveries,
        bool asBatch,
        Caller caller,
        long now
    ) => Write(function, deliveries, asBatch, caller, now, answers: false);

    /// <summary>Writes the envelope of an event whose result is the answer to an HTTP request.</summary>
    public static ReadOnlyMemory<byte> WriteForAnswer(DeployedFunction function, Delivery delivery, Caller caller, long now) =>
        Write(function, [delivery], asBatch: false, caller, now, answers: true);

    private static ReadOnlyMemory<byte> Write(
        DeployedFunction function,
        IReadOnlyList<Delivery> deliveries,
        bool asBatch,
        Caller caller,
        long now,
        bool answers
    )
    {
        var buffer = new ArrayBufferWriter<byte>(512 + deliveries.Sum(delivery => delivery.Payload.Length + 32));
        using var writer = new Utf8JsonWriter(buffer, Options);
        writer.WriteStartObject();
        writer.WriteString("kind"u8, "event"u8);
        writer.WriteString("trigger"u8, deliveries[0].Kind.Name());
        writer.WritePropertyName("event"u8);
        if (asBatch)
            WriteBatch(writer, deliveries);
        else
            WriteEvent(writer, deliveries[0]);
        writer.WriteString("user_id"u8, caller.Subject);
        writer.WriteString("request_id"u8, deliveries[0].EventId);
        writer.WritePropertyName("env"u8);
        writer.WriteRawValue(function.EnvironmentJson.Span, skipInputValidation: true);
        if (answers)
            writer.WriteBoolean("answers"u8, true);
        writer.WriteNumber("now"u8, now);
        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenMemory;
    }

    private static void WriteBatch(Utf8JsonWriter writer, IReadOnlyList<Delivery> deliveries)
    {
        writer.WriteStartObject();
        writer.WriteString("trigger"u8, deliveries[0].Kind.Name());
        writer.WriteBoolean("batch"u8, true);
        writer.WriteStartArray("events"u8);
        foreach (var delivery in deliveries)
            WriteEvent(writer, delivery);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary>The stored object, with the attempt's number as its last member.</summary>
    private static void WriteEvent(Utf8JsonWriter writer, Delivery delivery)
    {
        var stored = delivery.Payload.Span.TrimEnd(" \t\r\n"u8)[..^1];
        Span<byte> number = stackalloc byte[16];
        System.Buffers.Text.Utf8Formatter.TryFormat(Math.Max(delivery.FailedAttempts, 0) + 1, number, out var digits);
        var whole = ArrayPool<byte>.Shared.Rent(stored.Length + 32);
        var length = Append(whole, 0, stored);
        length = Append(whole, length, ",\"attempt\":"u8);
        length = Append(whole, length, number[..digits]);
        length = Append(whole, length, "}"u8);
        writer.WriteRawValue(whole.AsSpan(0, length), skipInputValidation: true);
        ArrayPool<byte>.Shared.Return(whole);
    }

    private static int Append(byte[] to, int length, ReadOnlySpan<byte> more)
    {
        more.CopyTo(to.AsSpan(length));
        return length + more.Length;
    }
}
