using System.Text;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>What a model answered, in the pieces that the wire formats have.</summary>
internal sealed record ChatAnswer(string? Text, string? Reasoning, string? Refusal, List<FunctionCallContent> Calls)
{
    /// <summary>Takes the pieces from the contents of a message, or of an update of it.</summary>
    public static ChatAnswer Of(IEnumerable<AIContent> contents)
    {
        StringBuilder? text = null;
        StringBuilder? reasoning = null;
        StringBuilder? refusal = null;
        var calls = new List<FunctionCallContent>();
        foreach (var content in contents)
        {
            switch (content)
            {
                case TextContent part:
                    (text ??= new StringBuilder()).Append(part.Text);
                    break;
                case TextReasoningContent part:
                    (reasoning ??= new StringBuilder()).Append(part.Text);
                    break;
                // The name that Microsoft.Extensions.AI.OpenAI gives to refusals.
                case ErrorContent { ErrorCode: "Refusal" } part:
                    (refusal ??= new StringBuilder()).Append(part.Message);
                    break;
                // A call that the provider itself runs is not the caller's to answer.
                case FunctionCallContent { InformationalOnly: false } call:
                    calls.Add(call);
                    break;
            }
        }
        return new ChatAnswer(text?.ToString(), reasoning?.ToString(), refusal?.ToString(), calls);
    }

    /// <summary>The pieces of a whole answer.</summary>
    public static ChatAnswer Of(ChatResponse response) => Of(response.Messages.SelectMany(static message => message.Contents));

    /// <summary>Why the answer ended, in OpenAI's words. Some servers say <c>stop</c> where they call tools.</summary>
    public static string FinishReason(ChatFinishReason? reason, bool hasCalls) =>
        reason?.Value switch
        {
            "length" => "length",
            "content_filter" => "content_filter",
            _ => hasCalls ? "tool_calls" : "stop",
        };
}
