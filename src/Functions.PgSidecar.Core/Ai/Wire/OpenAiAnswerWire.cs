using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Writes answers and errors as OpenAI does.</summary>
internal static class OpenAiAnswerWire
{
    /// <summary>Writes a <c>chat.completion</c>.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="model">The model that was asked for.</param>
    /// <param name="now">When the answer came, if the provider does not say.</param>
    public static ReadOnlyMemory<byte> Write(ChatResponse response, string model, DateTimeOffset now) =>
        WireWriter.Write((Response: response, Model: model, Now: now), static (writer, state) =>
        {
            var (response, answer) = (state.Response, ChatAnswer.Of(state.Response));
            writer.WriteString("id"u8, response.ResponseId ?? NewId());
            writer.WriteString("object"u8, "chat.completion"u8);
            writer.WriteNumber("created"u8, (response.CreatedAt ?? state.Now).ToUnixTimeSeconds());
            writer.WriteString("model"u8, response.ModelId ?? state.Model);
            writer.WriteStartArray("choices"u8);
            writer.WriteStartObject();
            writer.WriteNumber("index"u8, 0);
            StringBuilder? begun = null;
            WriteMessage(writer, answer, ThinkingBlock.Take(response.Messages.SelectMany(static message => message.Contents), ref begun));
            writer.WriteNull("logprobs"u8);
            writer.WriteString("finish_reason"u8, ChatAnswer.FinishReason(response.FinishReason, answer.Calls.Count > 0));
            writer.WriteEndObject();
            writer.WriteEndArray();
            WireWriter.WriteUsage(writer, response.Usage);
        });

    /// <summary>Writes OpenAI's error object.</summary>
    public static ReadOnlyMemory<byte> Write(int status, string code, string message, string? parameter) =>
        WireWriter.Write((status, code, message, parameter), WriteError);

    /// <summary>Writes the member <c>error</c>.</summary>
    public static void WriteError(Utf8JsonWriter writer, (int Status, string Code, string Message, string? Parameter) error)
    {
        writer.WriteStartObject("error"u8);
        writer.WriteString("message"u8, error.Message);
        writer.WriteString(
            "type"u8,
            error.Status switch
            {
                401 => "authentication_error",
                403 => "permission_error",
                429 => "rate_limit_error",
                >= 500 => "server_error",
                _ => "invalid_request_error",
            }
        );
        writer.WriteString("param"u8, error.Parameter);
        writer.WriteString("code"u8, error.Code);
        writer.WriteEndObject();
    }

    /// <summary>An id for an answer whose provider gave none.</summary>
    public static string NewId() => $"chatcmpl-{Guid.CreateVersion7():n}";

    private static void WriteMessage(Utf8JsonWriter writer, ChatAnswer answer, List<ThinkingBlock>? thinking)
    {
        writer.WriteStartObject("message"u8);
        writer.WriteString("role"u8, "assistant"u8);
        writer.WriteString("content"u8, answer.Text ?? (answer.Calls.Count > 0 || answer.Refusal is not null ? null : ""));
        writer.WriteString("refusal"u8, answer.Refusal);
        // No member of OpenAI's; the name under which most other servers give it.
        if (answer.Reasoning is { } reasoning)
            writer.WriteString("reasoning_content"u8, reasoning);
        ThinkingWire.Write(writer, thinking);
        if (answer.Calls.Count > 0)
        {
            writer.WriteStartArray("tool_calls"u8);
            foreach (var call in answer.Calls)
            {
                writer.WriteStartObject();
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
        writer.WriteEndObject();
    }
}
