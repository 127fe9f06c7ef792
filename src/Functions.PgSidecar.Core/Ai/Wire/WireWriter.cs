using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Writes what several answers have in common.</summary>
internal static class WireWriter
{
    /// <summary>Quotes and umlauts are not escaped: an answer is JSON by its content type, and never part of a page.</summary>
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The last event of a stream.</summary>
    public static ReadOnlySpan<byte> Done => "data: [DONE]\n\n"u8;

    /// <summary>Writes one JSON object.</summary>
    public static ReadOnlyMemory<byte> Write<T>(T state, Action<Utf8JsonWriter, T> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        AppendObject(buffer, state, write);
        return buffer.WrittenMemory;
    }

    /// <summary>Appends one JSON object as a server-sent event.</summary>
    public static void AppendEvent<T>(ArrayBufferWriter<byte> buffer, T state, Action<Utf8JsonWriter, T> write)
    {
        buffer.Write("data: "u8);
        AppendObject(buffer, state, write);
        buffer.Write("\n\n"u8);
    }

    /// <summary>The arguments of a call, as the text of a JSON object.</summary>
    public static string Arguments(FunctionCallContent call) =>
        call.Arguments is { } arguments
            ? Encoding.UTF8.GetString(Write(arguments, static (writer, arguments) => WriteMembers(writer, arguments)).Span)
            : "{}";

    /// <summary>Writes the arguments of a call as an object.</summary>
    public static void WriteArguments(Utf8JsonWriter writer, FunctionCallContent call)
    {
        writer.WriteStartObject();
        if (call.Arguments is { } arguments)
            WriteMembers(writer, arguments);
        writer.WriteEndObject();
    }

    /// <summary>Writes <c>usage</c>; null if nothing is known.</summary>
    /// <param name="writer">The writer.</param>
    /// <param name="usage">The tokens; those read from a provider's cache are part of the input, as OpenAI counts them.</param>
    /// <param name="isEmbedding">Whether there is no output.</param>
    public static void WriteUsage(Utf8JsonWriter writer, UsageDetails? usage, bool isEmbedding = false)
    {
        if (usage is null)
        {
            writer.WriteNull("usage"u8);
            return;
        }
        var (input, output) = (usage.InputTokenCount ?? 0, usage.OutputTokenCount ?? 0);
        writer.WriteStartObject("usage"u8);
        writer.WriteNumber("prompt_tokens"u8, input);
        if (!isEmbedding)
            writer.WriteNumber("completion_tokens"u8, output);
        writer.WriteNumber("total_tokens"u8, usage.TotalTokenCount ?? input + output);
        if (usage.CachedInputTokenCount is { } cached)
        {
            writer.WriteStartObject("prompt_tokens_details"u8);
            writer.WriteNumber("cached_tokens"u8, cached);
            writer.WriteEndObject();
        }
        if (usage.ReasoningTokenCount is { } reasoning)
        {
            writer.WriteStartObject("completion_tokens_details"u8);
            writer.WriteNumber("reasoning_tokens"u8, reasoning);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }

    private static void AppendObject<T>(ArrayBufferWriter<byte> buffer, T state, Action<Utf8JsonWriter, T> write)
    {
        using var writer = new Utf8JsonWriter(buffer, Readable);
        writer.WriteStartObject();
        write(writer, state);
        writer.WriteEndObject();
    }

    private static void WriteMembers(Utf8JsonWriter writer, IDictionary<string, object?> arguments)
    {
        foreach (var (name, value) in arguments)
        {
            writer.WritePropertyName(name);
            if (value is JsonElement element)
                element.WriteTo(writer);
            else
                JsonSerializer.Serialize(writer, value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object)));
        }
    }
}
