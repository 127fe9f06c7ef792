using System.Text.Json;
using Functions.PgSidecar.Core.Ai.Definitions;
using Functions.PgSidecar.Core.Ai.Wire;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Providers;

/// <summary>
/// Asks <c>POST /rerank</c> of a provider. OpenAI defines none; Cohere, Jina, vLLM and others agree on the request, and on
/// <c>{results: [{index, relevance_score}]}</c>. Voyage calls the list <c>data</c>, and TEI answers the list alone, with <c>score</c>.
/// </summary>
internal static class AiRankingClient
{
    /// <summary>Sends one request.</summary>
    /// <exception cref="JsonException">The answer is not of this format.</exception>
    public static async Task<AiRanking> AskAsync(
        HttpClient http,
        AiProvider provider,
        string model,
        AiRankingRequest asked,
        CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, provider.BaseUrl.ToString().TrimEnd('/') + "/rerank");
        request.Content = new ReadOnlyMemoryContent(Write(model, asked));
        request.Content.Headers.ContentType = new("application/json");
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken)
            .ConfigureAwait(false);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        using var json = JsonDocument.Parse(body);
        return Read(json.RootElement, asked);
    }

    private static ReadOnlyMemory<byte> Write(string model, AiRankingRequest asked) =>
        WireWriter.Write((Model: model, Asked: asked), static (writer, state) =>
        {
            writer.WriteString("model"u8, state.Model);
            writer.WriteString("query"u8, state.Asked.Query);
            writer.WriteStartArray("documents"u8);
            foreach (var document in state.Asked.Documents)
                writer.WriteStringValue(document);
            writer.WriteEndArray();
            writer.WriteNumber("top_n"u8, Math.Min(state.Asked.Most ?? int.MaxValue, state.Asked.Documents.Count));
            writer.WriteBoolean("return_documents"u8, false);
        });

    private static AiRanking Read(JsonElement answer, AiRankingRequest asked)
    {
        var list = answer;
        if (
            answer.ValueKind == JsonValueKind.Object
            && !answer.TryGetProperty("results"u8, out list)
            && !answer.TryGetProperty("data"u8, out list)
        )
            throw new JsonException("The answer has no results.");
        if (list.ValueKind != JsonValueKind.Array)
            throw new JsonException("The results are no array.");
        var ranked = new List<AiRankedDocument>();
        foreach (var item in list.EnumerateArray())
        {
            if (
                item.ValueKind != JsonValueKind.Object
                || !item.TryGetProperty("index"u8, out var index)
                || index.ValueKind != JsonValueKind.Number
                || !index.TryGetInt32(out var place)
                || place < 0
                || place >= asked.Documents.Count
                || !(item.TryGetProperty("relevance_score"u8, out var score) || item.TryGetProperty("score"u8, out score))
                || score.ValueKind != JsonValueKind.Number
                || ranked.Exists(one => one.Index == place)
            )
                throw new JsonException("A result is none of the texts.");
            ranked.Add(new AiRankedDocument(place, score.GetDouble()));
        }
        return new AiRanking([.. ranked.OrderByDescending(static one => one.Score).Take(asked.Most ?? int.MaxValue)], Usage(answer));
    }

    private static UsageDetails? Usage(JsonElement answer)
    {
        if (
            answer.ValueKind != JsonValueKind.Object
            || !answer.TryGetProperty("usage"u8, out var usage)
            || usage.ValueKind != JsonValueKind.Object
            || !(usage.TryGetProperty("total_tokens"u8, out var tokens) || usage.TryGetProperty("prompt_tokens"u8, out tokens))
            || tokens.ValueKind != JsonValueKind.Number
            || !tokens.TryGetInt64(out var count)
            || count < 0
        )
            return null;
        return new UsageDetails { InputTokenCount = count, TotalTokenCount = count };
    }
}
