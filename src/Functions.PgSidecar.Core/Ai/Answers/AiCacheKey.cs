using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Definitions;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Answers;

/// <summary>
/// The key of an answer: a hash of the caller, the targets and everything in the request that can change the answer. The caller is a part
/// of it, so that nobody gets an answer to what somebody else asked.
/// </summary>
internal static class AiCacheKey
{
    /// <summary>The key of a chat; null if the request has parts that can't be compared.</summary>
    public static byte[]? OfChat(AiCall call, IReadOnlyList<AiTarget> targets, IList<ChatMessage> messages, ChatOptions options)
    {
        if (call.Options.CacheKey is { } key)
            return Hash(call, targets, key);
        if (options.RawRepresentationFactory is not null && call.Options.RawRequest.IsEmpty)
            return null;
        // The members that tools are made of; a tool that is no declaration runs somewhere and can't be compared.
        if (options.Tools?.Any(static tool => tool is not AIFunctionDeclaration) == true)
            return null;
        var tools = options
            .Tools?.Cast<AIFunctionDeclaration>()
            .Select(static tool => new object?[] { tool.Name, tool.Description, tool.JsonSchema, tool.AdditionalProperties });
        return Hash(call, targets, new object?[] { messages, WithoutTools(options), tools });
    }

    /// <summary>The key of embeddings.</summary>
    public static byte[]? OfEmbeddings(
        AiCall call,
        IReadOnlyList<AiTarget> targets,
        IReadOnlyList<string> inputs,
        EmbeddingGenerationOptions options
    )
    {
        if (call.Options.CacheKey is { } key)
            return Hash(call, targets, key);
        return options.RawRepresentationFactory is not null && call.Options.RawRequest.IsEmpty
            ? null
            : Hash(call, targets, new object?[] { inputs, options.Dimensions, options.AdditionalProperties });
    }

    /// <summary>The key of a ranking.</summary>
    public static byte[]? OfRanking(AiCall call, IReadOnlyList<AiTarget> targets, AiRankingRequest request) =>
        call.Options.CacheKey is { } key
            ? Hash(call, targets, key)
            : Hash(call, targets, new object?[] { request.Query, request.Documents, request.Most });

    private static ChatOptions WithoutTools(ChatOptions options)
    {
        var compared = options.Clone();
        compared.Tools = null;
        compared.ModelId = null;
        return compared;
    }

    private static byte[]? Hash(AiCall call, IReadOnlyList<AiTarget> targets, object request)
    {
        var caller = call.Caller;
        object?[] whole =
        [
            call.Operation,
            caller.Role,
            caller.UserId,
            caller.Function,
            targets.Select(static target => new[] { target.Provider.Name, target.Provider.BaseUrl.ToString(), target.Model }),
            call.Options.CacheKey is not null,
            request,
            Convert.ToBase64String(call.Options.RawRequest.Span),
        ];
        try
        {
            return SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(whole, AIJsonUtilities.DefaultOptions));
        }
        catch (Exception e) when (e is NotSupportedException or JsonException or InvalidOperationException)
        {
            return null; // a content of a type that has no JSON
        }
    }
}
