using System.Text;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Limits;

/// <summary>
/// Estimates tokens where the provider states none: it never does, or the caller left a stream before the end. Four bytes count as one
/// token, as in English text. Otherwise a function could evade its limits by not reading the last chunk.
/// </summary>
internal static class AiUsageEstimate
{
    private const int BytesPerToken = 4;

    /// <summary>The tokens of an input.</summary>
    public static long Tokens(IEnumerable<ChatMessage> messages) =>
        Tokens(messages.SelectMany(static message => message.Contents).Sum(Bytes));

    /// <summary>The tokens of inputs for embeddings.</summary>
    public static long Tokens(IEnumerable<string> inputs) => Tokens(inputs.Sum(static input => (long)Encoding.UTF8.GetByteCount(input)));

    /// <summary>The tokens of so many bytes.</summary>
    public static long Tokens(long bytes) => (bytes + BytesPerToken - 1) / BytesPerToken;

    /// <summary>The bytes of a content that a model reads or writes.</summary>
    public static long Bytes(AIContent content) =>
        content switch
        {
            TextContent text => Encoding.UTF8.GetByteCount(text.Text),
            TextReasoningContent reasoning => Encoding.UTF8.GetByteCount(reasoning.Text),
            FunctionCallContent call => Encoding.UTF8.GetByteCount(call.Name)
                + (call.Arguments?.Sum(static argument => argument.Key.Length + (argument.Value?.ToString()?.Length ?? 0L)) ?? 0),
            FunctionResultContent result => result.Result?.ToString()?.Length ?? 0,
            DataContent data => data.Data.Length,
            _ => 0,
        };
}
