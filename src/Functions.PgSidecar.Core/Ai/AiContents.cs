using System.Text;
using Functions.PgSidecar.Core.Ai.Limits;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>What was asked and answered, as far as limits and the log need it.</summary>
internal sealed class AiContents
{
    /// <summary>How many characters of a stream are kept for the log, which has as many.</summary>
    private const int MostOfStream = 64 * 1024;

    private readonly IList<ChatMessage> messages;
    private readonly IReadOnlyList<string> inputs;
    private readonly StringBuilder? streamed;
    private ChatResponse? response;
    private long outputBytes;

    /// <summary>Of a chat.</summary>
    /// <param name="messages">What is asked.</param>
    /// <param name="keepsStream">Whether the text of a stream is needed at the end.</param>
    public AiContents(IList<ChatMessage> messages, bool keepsStream = false)
    {
        this.messages = messages;
        inputs = [];
        streamed = keepsStream ? new StringBuilder() : null;
    }

    /// <summary>Of embeddings, and of a ranking.</summary>
    public AiContents(IReadOnlyList<string> inputs)
    {
        this.inputs = inputs;
        messages = [];
    }

    /// <summary>Why the answer ended.</summary>
    public string? FinishReason { get; private set; }

    /// <summary>The answer, or a part of it, has arrived.</summary>
    public void Add(ChatResponse answer)
    {
        response = answer;
        FinishReason = answer.FinishReason?.Value;
        outputBytes += answer.Messages.SelectMany(static message => message.Contents).Sum(AiUsageEstimate.Bytes);
    }

    /// <summary>A part of a stream has arrived.</summary>
    public void Add(ChatResponseUpdate update)
    {
        FinishReason = update.FinishReason?.Value ?? FinishReason;
        foreach (var content in update.Contents)
        {
            outputBytes += AiUsageEstimate.Bytes(content);
            Append(content);
        }
    }

    /// <summary>An estimate of the input.</summary>
    public long InputTokens() => AiUsageEstimate.Tokens(messages) + AiUsageEstimate.Tokens(inputs);

    /// <summary>An estimate of what has arrived.</summary>
    public long OutputTokens() => AiUsageEstimate.Tokens(outputBytes);

    /// <summary>The request as it is logged.</summary>
    public string Request() =>
        messages.Count > 0
            ? string.Join('\n', messages.Select(static message => $"{message.Role.Value}: {Text(message.Contents)}"))
            : string.Join('\n', inputs);

    /// <summary>The answer as it is logged; null for embeddings.</summary>
    public string? Response() =>
        streamed?.ToString() ?? (response is null ? null : Text(response.Messages.SelectMany(static message => message.Contents)));

    private void Append(AIContent content)
    {
        if (streamed is not { Length: < MostOfStream })
            return;
        var text = Text([content]);
        streamed.Append(text.AsSpan(0, Math.Min(text.Length, MostOfStream - streamed.Length)));
    }

    private static string Text(IEnumerable<AIContent> contents) =>
        string.Concat(
            contents.Select(static content =>
                content switch
                {
                    TextContent text => text.Text,
                    FunctionCallContent call =>
                        $"[call {call.Name}({string.Join(", ", call.Arguments?.Select(static a => $"{a.Key}: {a.Value}") ?? [])})]",
                    FunctionResultContent result => $"[result {result.Result}]",
                    DataContent data => $"[{data.MediaType}, {data.Data.Length} bytes]",
                    _ => "",
                }
            )
        );
}
