using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>
/// Reads the body of <c>POST /chat/completions</c>, as OpenAI defines it. A member is translated, passed on to providers that speak the
/// same language, or refused: none is dropped if that could change the answer. docs/ai.md lists them.
/// </summary>
internal static class OpenAiChatWire
{
    /// <summary>Members that no part of the sidecar understands. Providers of the kind <c>openai</c> get them as they are.</summary>
    private static readonly string[] PassedOn =
    [
        "logit_bias",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    ];

    /// <exception cref="SidecarException">PGFN5151: the request can't be read; PGFN5152: it asks for what can't be given.</exception>
    public static ChatRequest Read(JsonElement request)
    {
        request.Object("The request");
        var options = new ChatOptions();
        var (isStreamed, includesUsage) = (false, false);
        List<JsonProperty>? extras = null;
        foreach (var member in request.EnumerateObject())
        {
            var value = member.Value;
            if (value.ValueKind == JsonValueKind.Null)
                continue;
            switch (member.Name)
            {
                case "model" or "messages":
                    break;
                case "stream":
                    isStreamed = request.Flag("stream") == true;
                    break;
                case "stream_options":
                    includesUsage = ReadStreamOptions(value);
                    break;
                case "tools":
                    ChatToolsWire.ReadTools(request, options);
                    break;
                case "tool_choice" or "parallel_tool_calls":
                    ChatToolsWire.ReadChoice(request, options);
                    break;
                case "response_format":
                    ChatToolsWire.ReadFormat(request, options);
                    break;
                case "n":
                    if (request.Count("n") != 1)
                        throw AiWireErrors.Unsupported("n", "n must be 1: one answer is given for each request.");
                    break;
                case "logprobs":
                    if (request.Flag("logprobs") == true)
                        throw AiWireErrors.Unsupported("logprobs", "logprobs is not supported: probabilities of tokens are not kept.");
                    break;
                case "modalities":
                    if (
                        request.Items("modalities").Any(static item => item.ValueKind != JsonValueKind.String || item.GetString() != "text")
                    )
                        throw AiWireErrors.Unsupported("modalities", "modalities must be [\"text\"].");
                    break;
                default:
                    if (!TryReadSampling(member.Name, request, options))
                        (extras ??= []).Add(PassOn(member));
                    break;
            }
        }
        return new ChatRequest(request.RequiredText("model"), ChatMessagesWire.Read(request, isLoose: false), options)
        {
            IsStreamed = isStreamed,
            IncludesUsage = includesUsage,
            Extras = OpenAiExtras.Apply(options, extras),
        };
    }

    /// <summary>Reads members that requests in the form of OpenAI and of Workers AI have in common; false if it is none of them.</summary>
    public static bool TryReadSampling(string name, JsonElement request, ChatOptions options)
    {
        switch (name)
        {
            case "max_tokens" or "max_completion_tokens":
                options.MaxOutputTokens = request.Count("max_completion_tokens") ?? request.Count("max_tokens");
                return true;
            case "temperature":
                options.Temperature = request.Number("temperature");
                return true;
            case "top_p":
                options.TopP = request.Number("top_p");
                return true;
            case "frequency_penalty":
                options.FrequencyPenalty = request.Number("frequency_penalty");
                return true;
            case "presence_penalty":
                options.PresencePenalty = request.Number("presence_penalty");
                return true;
            case "seed":
                options.Seed = request.Integer("seed");
                return true;
            case "stop":
                options.StopSequences = ReadStop(request);
                return true;
            case "reasoning_effort":
                options.Reasoning = new ReasoningOptions { Effort = ReadEffort(request) };
                return true;
            default:
                return false;
        }
    }

    private static List<string> ReadStop(JsonElement request)
    {
        if (request.TryGet("stop", out var stop) && stop.ValueKind == JsonValueKind.String)
            return [stop.GetString()!];
        var texts = new List<string>();
        foreach (var item in request.Items("stop"))
            texts.Add(
                item.ValueKind == JsonValueKind.String ? item.GetString()! : throw WireJson.Wrong("stop", "a text or an array of texts")
            );
        return texts;
    }

    private static bool ReadStreamOptions(JsonElement options)
    {
        var includesUsage = false;
        foreach (var member in options.Object("stream_options").EnumerateObject())
        {
            if (member.Name == "include_usage")
                includesUsage = options.Flag("include_usage", "stream_options.") == true;
            // Padding of chunks against observers of the network; nothing of it reaches the answer.
            else if (member.Name != "include_obfuscation")
                throw AiWireErrors.Unsupported("stream_options", $"stream_options.{AiWireErrors.Shorten(member.Name)} is not supported.");
        }
        return includesUsage;
    }

    private static ReasoningEffort ReadEffort(JsonElement request) =>
        request.RequiredText("reasoning_effort") switch
        {
            "none" => ReasoningEffort.None,
            "minimal" or "low" => ReasoningEffort.Low,
            "medium" => ReasoningEffort.Medium,
            "high" => ReasoningEffort.High,
            "xhigh" => ReasoningEffort.ExtraHigh,
            _ => throw WireJson.Wrong("reasoning_effort", "'none', 'minimal', 'low', 'medium', 'high' or 'xhigh'"),
        };

    private static JsonProperty PassOn(JsonProperty member) =>
        Array.IndexOf(PassedOn, member.Name) >= 0
            ? member
            : throw AiWireErrors.Unsupported(member.Name, $"{AiWireErrors.Shorten(member.Name)} is not supported.");
}
