using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>A conversation that a model continues, read from any of the forms in which it can be sent.</summary>
/// <param name="Model">The model as it was asked for; a route may lead to another one.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="Options">What the model is to do.</param>
internal sealed record ChatRequest(string Model, List<ChatMessage> Messages, ChatOptions Options)
{
    /// <summary>Whether the answer is sent while it is produced.</summary>
    public bool IsStreamed { get; init; }

    /// <summary>Whether a stream ends with the numbers of tokens.</summary>
    public bool IncludesUsage { get; init; }

    /// <summary>The JSON of what only providers of the kind <c>openai</c> get; empty if there is nothing.</summary>
    public ReadOnlyMemory<byte> Extras { get; init; }

    /// <summary>Whether the answer must be JSON.</summary>
    public bool WantsJson => Options.ResponseFormat is ChatResponseFormatJson;
}
