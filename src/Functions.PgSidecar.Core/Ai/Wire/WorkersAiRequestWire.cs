using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Reads the inputs of <c>run</c>, as Workers AI defines them.</summary>
internal static class WorkersAiRequestWire
{
    /// <summary>Whether the inputs are texts of which vectors are to be made.</summary>
    /// <exception cref="SidecarException">PGFN5152: they belong to a task that no provider here has.</exception>
    public static bool AreForEmbeddings(JsonElement inputs)
    {
        inputs.Object("inputs");
        if (inputs.TryGet("messages", out _) || inputs.TryGet("prompt", out _))
            return false;
        if (inputs.TryGet("requests", out _) || inputs.TryGet("request_id", out _))
            throw AiWireErrors.Unsupported(
                "inputs.requests",
                "Batches (inputs.requests, inputs.request_id) are not supported; use a queue."
            );
        if (inputs.TryGet("target_lang", out _) || inputs.TryGet("input_text", out _))
            throw AiWireErrors.Unsupported(
                "inputs",
                "Models for translation and for summaries are not supported; ask a model by inputs.messages instead."
            );
        if (inputs.TryGet("text", out _))
            return true;
        throw AiWireErrors.Unsupported(
            "inputs",
            "inputs must have messages or prompt, for an answer in text, text, for embeddings, or query and contexts, for a ranking. Images, audio "
                + "and others are not supported."
        );
    }

    /// <summary>Reads <c>{text}</c>.</summary>
    public static EmbeddingRequest ReadEmbeddings(string model, JsonElement inputs)
    {
        foreach (var member in inputs.EnumerateObject())
        {
            // "pooling" belongs to models of Cloudflare's; of a provider it would change the vectors.
            if (member.Name is not "text" && member.Value.ValueKind != JsonValueKind.Null)
                throw AiWireErrors.Unsupported(
                    "inputs." + member.Name,
                    $"inputs.{AiWireErrors.Shorten(member.Name)} is not supported for embeddings."
                );
        }
        return new EmbeddingRequest(
            model,
            OpenAiEmbeddingWire.ReadTexts(inputs, "text"),
            new EmbeddingGenerationOptions(),
            IsBase64: false
        );
    }

    /// <summary>Reads <c>{messages | prompt, ...}</c>.</summary>
    public static ChatRequest ReadChat(string model, JsonElement inputs)
    {
        var options = new ChatOptions();
        var isStreamed = false;
        List<JsonProperty>? extras = null;
        foreach (var member in inputs.EnumerateObject())
        {
            if (member.Value.ValueKind == JsonValueKind.Null)
                continue;
            switch (member.Name)
            {
                case "messages" or "prompt":
                    break;
                case "stream":
                    isStreamed = inputs.Flag("stream") == true;
                    break;
                case "tools":
                    ChatToolsWire.ReadTools(inputs, options);
                    break;
                case "tool_choice" or "parallel_tool_calls":
                    ChatToolsWire.ReadChoice(inputs, options);
                    break;
                case "response_format":
                    ChatToolsWire.ReadFormat(inputs, options);
                    break;
                case "top_k":
                    options.TopK = inputs.Count("top_k");
                    (extras ??= []).Add(member);
                    break;
                case "repetition_penalty":
                    inputs.Number("repetition_penalty");
                    (extras ??= []).Add(member);
                    break;
                case "raw" when inputs.Flag("raw") == false:
                    break;
                default:
                    if (!OpenAiChatWire.TryReadSampling(member.Name, inputs, options))
                        throw AiWireErrors.Unsupported(
                            "inputs." + member.Name,
                            $"inputs.{AiWireErrors.Shorten(member.Name)} is not supported for text."
                        );
                    break;
            }
        }
        return new ChatRequest(model, ReadMessages(inputs), options)
        {
            IsStreamed = isStreamed,
            Extras = OpenAiExtras.Apply(options, extras),
        };
    }

    private static List<ChatMessage> ReadMessages(JsonElement inputs)
    {
        if (inputs.Text("prompt") is not { } prompt)
            return ChatMessagesWire.Read(inputs, isLoose: true);
        if (inputs.TryGet("messages", out _))
            throw WireJson.Wrong("inputs", "an object with either prompt or messages");
        return [new ChatMessage(ChatRole.User, prompt)];
    }
}
