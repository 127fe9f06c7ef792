using System.Text;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai;

/// <summary>
/// A complete piece of a model's reasoning that its provider signed. Anthropic wants the pieces of an answer that calls tools sent back
/// unchanged with the tools' results.
/// </summary>
/// <param name="Text">The reasoning; empty if the provider does not show it.</param>
/// <param name="Signature">The signature, or the encrypted reasoning if it is redacted.</param>
/// <param name="IsHidden">Whether it is redacted.</param>
internal readonly record struct ThinkingBlock(string Text, string Signature, bool IsHidden)
{
    private const string Redacted = "redacted";

    /// <summary>The same as a content of a message.</summary>
    public TextReasoningContent ToContent()
    {
        var content = new TextReasoningContent(Text) { ProtectedData = Signature };
        if (IsHidden)
            MarkRedacted(content);
        return content;
    }

    /// <summary>Whether a reasoning with a signature is redacted.</summary>
    public static bool IsRedacted(TextReasoningContent content) => content.AdditionalProperties?.ContainsKey(Redacted) == true;

    /// <summary>Says that a reasoning is redacted.</summary>
    public static void MarkRedacted(TextReasoningContent content) => (content.AdditionalProperties ??= [])[Redacted] = true;

    /// <summary>Takes the blocks that contents complete. In a stream the signature follows the text.</summary>
    /// <param name="contents">The contents of an answer, or of an update of it.</param>
    /// <param name="begun">The text of the block that is not complete; null if there is none.</param>
    public static List<ThinkingBlock>? Take(IEnumerable<AIContent> contents, ref StringBuilder? begun)
    {
        List<ThinkingBlock>? blocks = null;
        foreach (var content in contents)
        {
            if (content is not TextReasoningContent thought)
                continue;
            if (thought.Text.Length > 0)
                (begun ??= new StringBuilder()).Append(thought.Text);
            if (thought.ProtectedData is not { Length: > 0 } signature)
                continue;
            var isHidden = IsRedacted(thought);
            (blocks ??= []).Add(new ThinkingBlock(isHidden ? "" : begun?.ToString() ?? "", signature, isHidden));
            begun = null;
        }
        return blocks;
    }
}
