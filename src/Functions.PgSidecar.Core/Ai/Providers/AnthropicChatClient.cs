using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Anthropic.Models.Messages;
using Functions.PgSidecar.Core.Ai.Definitions;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// What the SDK of Anthropic leaves out: it asks for any tool where one is required by name, drops schemas without <c>required</c>, and
/// sends thinking without text back as if it were redacted.
/// </summary>
/// <param name="inner">The SDK's client.</param>
/// <param name="provider">The provider.</param>
/// <param name="defaultMaxTokens">The limit of tokens where the request has none.</param>
internal sealed class AnthropicChatClient(IChatClient inner, AiProvider provider, int defaultMaxTokens) : DelegatingChatClient(inner)
{
    /// <inheritdoc/>
    public override async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        CancellationToken cancellationToken = default
    )
    {
        var response = await base.GetResponseAsync(messages.Select(WithThinking), Complete(options), cancellationToken)
            .ConfigureAwait(false);
        foreach (var message in response.Messages)
            MarkRedacted(message.Contents);
        return response;
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages,
        ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default
    )
    {
        var updates = base.GetStreamingResponseAsync(messages.Select(WithThinking), Complete(options), cancellationToken);
        await foreach (var update in updates.ConfigureAwait(false))
        {
            MarkRedacted(update.Contents);
            yield return update;
        }
    }

    /// <summary>Adds what the SDK does not translate. The options are this attempt's own.</summary>
    private ChatOptions? Complete(ChatOptions? options)
    {
        if (options?.ResponseFormat is ChatResponseFormatJson { Schema: { } schema } format)
        {
            var whole = JsonObject.Create(schema);
            if (whole is null || (whole["type"] is { } type && (type is not JsonValue || (string?)type != "object")))
                throw new AiAttemptException(
                    AiAttemptFailure.Missing,
                    AiErrors.NotSupported(provider.Name, "JSON schemas whose root is not an object")
                );
            whole.TryAdd("properties", new JsonObject());
            whole.TryAdd("required", new JsonArray());
            options.ResponseFormat = ChatResponseFormat.ForJsonSchema(
                System.Text.Json.JsonElement.Parse(whole.ToJsonString()),
                format.SchemaName,
                format.SchemaDescription
            );
        }
        if (options?.ToolMode is RequiredChatToolMode { RequiredFunctionName: { } name })
        {
            options.RawRepresentationFactory = _ => new MessageCreateParams
            {
                MaxTokens = options.MaxOutputTokens ?? defaultMaxTokens,
                Messages = [],
                Model = options.ModelId!,
                ToolChoice = new ToolChoiceTool { Name = name, DisableParallelToolUse = !options.AllowMultipleToolCalls },
            };
        }
        return options;
    }

    /// <summary>
    /// The message with its thinking as Anthropic gave it. Reasoning of another provider has no signature, and Anthropic would refuse it.
    /// </summary>
    private static ChatMessage WithThinking(ChatMessage message)
    {
        if (!message.Contents.Any(static content => content is TextReasoningContent))
            return message;
        var contents = new List<AIContent>();
        foreach (var content in message.Contents)
        {
            if (content is not TextReasoningContent thought)
                contents.Add(content);
            else if (thought.ProtectedData is { Length: > 0 } sealedData)
            {
                ContentBlockParam block = ThinkingBlock.IsRedacted(thought)
                    ? new RedactedThinkingBlockParam { Data = sealedData }
                    : new ThinkingBlockParam { Thinking = thought.Text, Signature = sealedData };
                contents.Add(new TextReasoningContent(thought.Text) { ProtectedData = sealedData, RawRepresentation = block });
            }
        }
        return new ChatMessage(message.Role, contents) { AuthorName = message.AuthorName };
    }

    private static void MarkRedacted(IList<AIContent> contents)
    {
        foreach (var content in contents)
        {
            if (content is TextReasoningContent { RawRepresentation: RedactedThinkingBlock } thought)
                ThinkingBlock.MarkRedacted(thought);
        }
    }
}
