using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>
/// Writes the updates of one answer as server-sent events with <c>chat.completion.chunk</c>. The arguments of a call follow its id and
/// name in pieces of their own, as OpenAI sends them.
/// </summary>
internal sealed class OpenAiStreamWire(string model, bool includesUsage, DateTimeOffset now)
{
    /// <summary>The most characters of arguments in one chunk.</summary>
    private const int PieceLength = 4096;

    private readonly bool includesUsage = includesUsage;
    private string id = "";
    private string usedModel = model;
    private long created = now.ToUnixTimeSeconds();
    private bool hasBegun;
    private int calls;
    private ChatFinishReason? finishReason;
    private UsageDetails? usage;
    private StringBuilder? thinking;

    /// <summary>Writes a whole stream; each piece has one or more complete events.</summary>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> WriteAsync(
        IAsyncEnumerable<ChatResponseUpdate> updates,
        ChatRequest request,
        DateTimeOffset now,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var wire = new OpenAiStreamWire(request.Model, request.IncludesUsage, now);
        await foreach (var update in updates.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (wire.Take(update) is { Length: > 0 } events)
                yield return events;
        }
        yield return wire.End();
    }

    private ReadOnlyMemory<byte> Take(ChatResponseUpdate update)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        if (!hasBegun)
        {
            id = update.ResponseId ?? OpenAiAnswerWire.NewId();
            usedModel = update.ModelId ?? usedModel;
            created = update.CreatedAt?.ToUnixTimeSeconds() ?? created;
            hasBegun = true;
            AppendDelta(buffer, static writer =>
            {
                writer.WriteString("role"u8, "assistant"u8);
                writer.WriteString("content"u8, ""u8);
            });
        }
        finishReason = update.FinishReason ?? finishReason;
        foreach (var counted in update.Contents.OfType<UsageContent>())
            (usage ??= new UsageDetails()).Add(counted.Details);
        var answer = ChatAnswer.Of(update.Contents);
        if (answer.Reasoning is { Length: > 0 } reasoning)
            AppendDelta(buffer, writer => writer.WriteString("reasoning_content"u8, reasoning));
        if (ThinkingBlock.Take(update.Contents, ref thinking) is { } blocks)
            AppendDelta(buffer, writer => ThinkingWire.Write(writer, blocks));
        if (answer.Text is { Length: > 0 } text)
            AppendDelta(buffer, writer => writer.WriteString("content"u8, text));
        if (answer.Refusal is { Length: > 0 } refusal)
            AppendDelta(buffer, writer => writer.WriteString("refusal"u8, refusal));
        foreach (var call in answer.Calls)
            AppendCall(buffer, call);
        return buffer.WrittenMemory;
    }

    private ReadOnlyMemory<byte> End()
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        AppendChunk(buffer, static _ => { }, ChatAnswer.FinishReason(finishReason, calls > 0));
        if (includesUsage)
        {
            WireWriter.AppendEvent(buffer, this, static (writer, wire) =>
            {
                wire.WriteHead(writer);
                writer.WriteStartArray("choices"u8);
                writer.WriteEndArray();
                WireWriter.WriteUsage(writer, wire.usage ?? new UsageDetails());
            });
        }
        buffer.Write(WireWriter.Done);
        return buffer.WrittenMemory;
    }

    private void AppendCall(ArrayBufferWriter<byte> buffer, FunctionCallContent call)
    {
        var index = calls++;
        AppendDelta(buffer, writer => WriteCall(writer, index, call, ""));
        var arguments = WireWriter.Arguments(call);
        for (var at = 0; at < arguments.Length; )
        {
            var length = Math.Min(PieceLength, arguments.Length - at);
            // The halves of a character stay together.
            if (at + length < arguments.Length && char.IsHighSurrogate(arguments[at + length - 1]))
                length--;
            var piece = arguments.Substring(at, length);
            AppendDelta(buffer, writer => WriteCall(writer, index, null, piece));
            at += length;
        }
    }

    private static void WriteCall(Utf8JsonWriter writer, int index, FunctionCallContent? first, string arguments)
    {
        writer.WriteStartArray("tool_calls"u8);
        writer.WriteStartObject();
        writer.WriteNumber("index"u8, index);
        if (first is not null)
        {
            writer.WriteString("id"u8, first.CallId);
            writer.WriteString("type"u8, "function"u8);
        }
        writer.WriteStartObject("function"u8);
        if (first is not null)
            writer.WriteString("name"u8, first.Name);
        writer.WriteString("arguments"u8, arguments);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    private void AppendDelta(ArrayBufferWriter<byte> buffer, Action<Utf8JsonWriter> delta) => AppendChunk(buffer, delta, null);

    private void AppendChunk(ArrayBufferWriter<byte> buffer, Action<Utf8JsonWriter> delta, string? finish) =>
        WireWriter.AppendEvent(buffer, (Wire: this, Delta: delta, Finish: finish), static (writer, state) =>
        {
            state.Wire.WriteHead(writer);
            writer.WriteStartArray("choices"u8);
            writer.WriteStartObject();
            writer.WriteNumber("index"u8, 0);
            writer.WriteStartObject("delta"u8);
            state.Delta(writer);
            writer.WriteEndObject();
            writer.WriteNull("logprobs"u8);
            writer.WriteString("finish_reason"u8, state.Finish);
            writer.WriteEndObject();
            writer.WriteEndArray();
            if (state.Wire.includesUsage)
                writer.WriteNull("usage"u8);
        });

    private void WriteHead(Utf8JsonWriter writer)
    {
        writer.WriteString("id"u8, id.Length > 0 ? id : OpenAiAnswerWire.NewId());
        writer.WriteString("object"u8, "chat.completion.chunk"u8);
        writer.WriteNumber("created"u8, created);
        writer.WriteString("model"u8, usedModel);
    }
}
