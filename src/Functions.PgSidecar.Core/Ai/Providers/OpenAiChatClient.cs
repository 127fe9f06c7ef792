using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using OpenAI.Chat;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// Reads the reasoning of servers that call it <c>reasoning</c>, such as Ollama, OpenRouter and vLLM. The SDK's client reads
/// <c>reasoning_content</c> only.
/// </summary>
/// <param name="inner">The SDK's client.</param>
internal sealed class OpenAiChatClient(IChatClient inner) : DelegatingChatClient(inner)
{
    /// <inheritdoc/>
    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        var response = await base.GetResponseAsync(messages, options, cancellationToken).ConfigureAwait(false);
#pragma warning disable SCME0001 // The only way to members that the library has no property for.
        if (
            response is { RawRepresentation: ChatCompletion answer, Messages: [var message, ..] }
            && answer.Patch.TryGetValue("$.choices[0].message.reasoning"u8, out string? reasoning)
        )
            Add(message.Contents, reasoning);
#pragma warning restore SCME0001
        return response;
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        await foreach (var update in base.GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
#pragma warning disable SCME0001 // As above.
            if (
                update.RawRepresentation is StreamingChatCompletionUpdate piece
                && piece.Patch.TryGetValue("$.choices[0].delta.reasoning"u8, out string? reasoning)
            )
                Add(update.Contents, reasoning);
#pragma warning restore SCME0001
            yield return update;
        }
    }

    /// <summary>Adds the reasoning, unless the server has given it under both names.</summary>
    private static void Add(IList<AIContent> contents, string? reasoning)
    {
        if (!string.IsNullOrEmpty(reasoning) && !contents.Any(static content => content is TextReasoningContent))
            contents.Insert(0, new TextReasoningContent(reasoning));
    }
}
