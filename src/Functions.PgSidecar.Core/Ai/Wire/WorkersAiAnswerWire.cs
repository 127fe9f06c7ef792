using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Writes answers as Workers AI does.</summary>
internal static class WorkersAiAnswerWire
{
    /// <summary>Writes <c>{response, tool_calls?, usage}</c>. With a format of JSON, <c>response</c> is the value itself.</summary>
    /// <exception cref="SidecarException">PGFN5156: the model's text is no JSON.</exception>
    public static ReadOnlyMemory<byte> Write(ChatResponse response, ChatRequest request)
    {
        var answer = ChatAnswer.Of(response);
        var text = answer.Text ?? answer.Refusal ?? "";
        // A refusal and a call of a tool are no JSON.
        var value = request.WantsJson && answer.Refusal is null && answer.Calls.Count == 0 ? Parse(text) : default;
        StringBuilder? begun = null;
        var thinking = ThinkingBlock.Take(response.Messages.SelectMany(static message => message.Contents), ref begun);
        return WireWriter.Write((Text: text, Value: value, Answer: answer, Thinking: thinking, response.Usage), static (writer, state) =>
        {
            writer.WritePropertyName("response"u8);
            if (state.Value.ValueKind != JsonValueKind.Undefined)
                state.Value.WriteTo(writer);
            else if (state.Text.Length == 0 && state.Answer.Calls.Count > 0)
                writer.WriteNullValue();
            else
                writer.WriteStringValue(state.Text);
            WriteReasoning(writer, state.Answer.Reasoning, state.Thinking);
            WriteCalls(writer, state.Answer.Calls);
            WireWriter.WriteUsage(writer, state.Usage);
        });
    }

    /// <summary>Writes a whole stream: events <c>{response}</c>, one with <c>usage</c>, and <c>[DONE]</c>.</summary>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> WriteAsync(
        IAsyncEnumerable<ChatResponseUpdate> updates,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        UsageDetails? usage = null;
        StringBuilder? thinking = null;
        await foreach (var update in updates.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            foreach (var counted in update.Contents.OfType<UsageContent>())
                (usage ??= new UsageDetails()).Add(counted.Details);
            var answer = ChatAnswer.Of(update.Contents);
            var blocks = ThinkingBlock.Take(update.Contents, ref thinking);
            if (answer is { Calls.Count: 0, Reasoning: null or "" } && blocks is null && (answer.Text ?? answer.Refusal) is null or "")
                continue;
            var buffer = new ArrayBufferWriter<byte>(128);
            WireWriter.AppendEvent(buffer, (Answer: answer, Blocks: blocks), static (writer, state) =>
            {
                writer.WriteString("response"u8, state.Answer.Text ?? state.Answer.Refusal ?? "");
                WriteReasoning(writer, state.Answer.Reasoning, state.Blocks);
                WriteCalls(writer, state.Answer.Calls);
            });
            yield return buffer.WrittenMemory;
        }
        var last = new ArrayBufferWriter<byte>(256);
        if (usage is not null)
        {
            WireWriter.AppendEvent(last, usage, static (writer, usage) =>
            {
                writer.WriteString("response"u8, ""u8);
                WireWriter.WriteUsage(writer, usage);
            });
        }
        last.Write(WireWriter.Done);
        yield return last.WrittenMemory;
    }

    /// <summary>Writes <c>{shape, usage}</c>; the numbers are sent as bytes.</summary>
    public static ReadOnlyMemory<byte> Write(GeneratedEmbeddings<Embedding<float>> vectors) =>
        WireWriter.Write(vectors, static (writer, vectors) =>
        {
            writer.WriteStartArray("shape"u8);
            writer.WriteNumberValue(vectors.Count);
            writer.WriteNumberValue(vectors.Count == 0 ? 0 : vectors[0].Vector.Length);
            writer.WriteEndArray();
            WireWriter.WriteUsage(writer, vectors.Usage, isEmbedding: true);
        });

    private static void WriteReasoning(Utf8JsonWriter writer, string? reasoning, List<ThinkingBlock>? blocks)
    {
        if (!string.IsNullOrEmpty(reasoning))
            writer.WriteString("reasoning_content"u8, reasoning);
        ThinkingWire.Write(writer, blocks);
    }

    /// <summary>Calls in both forms at once: <c>{name, arguments: {...}}</c> of older code, and <c>{id, type, function}</c>.</summary>
    private static void WriteCalls(Utf8JsonWriter writer, List<FunctionCallContent> calls)
    {
        if (calls.Count == 0)
            return;
        writer.WriteStartArray("tool_calls"u8);
        foreach (var call in calls)
        {
            writer.WriteStartObject();
            writer.WriteString("name"u8, call.Name);
            writer.WritePropertyName("arguments"u8);
            WireWriter.WriteArguments(writer, call);
            writer.WriteString("id"u8, call.CallId);
            writer.WriteString("type"u8, "function"u8);
            writer.WriteStartObject("function"u8);
            writer.WriteString("name"u8, call.Name);
            writer.WriteString("arguments"u8, WireWriter.Arguments(call));
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    private static JsonElement Parse(string text)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            throw AiWireErrors.NotJson();
        }
    }
}
