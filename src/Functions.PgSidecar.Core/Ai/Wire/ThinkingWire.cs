using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>
/// Reads and writes signed reasoning as <c>thinking_blocks</c>, the member of an assistant's message in which LiteLLM and its clients have
/// Anthropic's blocks. OpenAI's protocol has none.
/// </summary>
internal static class ThinkingWire
{
    /// <summary>Writes the member, if there are blocks.</summary>
    public static void Write(Utf8JsonWriter writer, List<ThinkingBlock>? blocks)
    {
        if (blocks is null)
            return;
        writer.WriteStartArray("thinking_blocks"u8);
        foreach (var block in blocks)
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, block.IsHidden ? "redacted_thinking"u8 : "thinking"u8);
            if (block.IsHidden)
                writer.WriteString("data"u8, block.Signature);
            else
            {
                writer.WriteString("thinking"u8, block.Text);
                writer.WriteString("signature"u8, block.Signature);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    /// <summary>Reads the member of a message.</summary>
    /// <exception cref="SidecarException">PGFN5151: it can't be read.</exception>
    public static IEnumerable<TextReasoningContent> Read(JsonElement message, string path)
    {
        var at = 0;
        foreach (var block in message.Items("thinking_blocks", path))
        {
            var inner = $"{path}thinking_blocks[{at++}].";
            yield return block.Object(inner[..^1]).RequiredText("type", inner) switch
            {
                "thinking" => new ThinkingBlock(
                    block.Text("thinking", inner) ?? "",
                    block.RequiredText("signature", inner),
                    IsHidden: false
                ).ToContent(),
                "redacted_thinking" => new ThinkingBlock("", block.RequiredText("data", inner), IsHidden: true).ToContent(),
                _ => throw WireJson.Wrong(inner + "type", "'thinking' or 'redacted_thinking'"),
            };
        }
    }
}
