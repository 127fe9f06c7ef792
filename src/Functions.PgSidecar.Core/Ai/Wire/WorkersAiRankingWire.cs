using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Reads and writes the ranking of texts, as Workers AI defines it.</summary>
internal static class WorkersAiRankingWire
{
    /// <summary>The most texts in one request.</summary>
    public const int MaxContexts = 1000;

    /// <summary>Whether the inputs are texts that are to be ranked.</summary>
    public static bool IsIn(JsonElement inputs) =>
        inputs.ValueKind == JsonValueKind.Object
        && inputs.TryGet("contexts", out _)
        && !inputs.TryGet("messages", out _)
        && !inputs.TryGet("prompt", out _);

    /// <summary>Reads <c>{query, contexts: [{text}], top_k?}</c>.</summary>
    /// <exception cref="SidecarException">PGFN5151, PGFN5152: the inputs can't be read, or ask for something else.</exception>
    public static AiRankingRequest Read(JsonElement inputs)
    {
        foreach (var member in inputs.EnumerateObject())
        {
            if (member.Name is not ("query" or "contexts" or "top_k") && member.Value.ValueKind != JsonValueKind.Null)
                throw AiWireErrors.Unsupported(
                    "inputs." + member.Name,
                    $"inputs.{AiWireErrors.Shorten(member.Name)} is not supported for ranking."
                );
        }
        var documents = new List<string>();
        foreach (var context in inputs.Items("contexts", "inputs."))
            documents.Add(context.Object("inputs.contexts").RequiredText("text", "inputs.contexts."));
        if (documents.Count is 0 or > MaxContexts)
            throw WireJson.Wrong("inputs.contexts", $"an array of 1 to {MaxContexts} texts");
        var most = inputs.Count("top_k", "inputs.");
        return most == 0
            ? throw WireJson.Wrong("inputs.top_k", "a whole number of at least 1")
            : new AiRankingRequest(inputs.RequiredText("query", "inputs."), documents, most);
    }

    /// <summary>Writes <c>{response: [{id, score}], usage}</c>, the best first; <c>id</c> is the place among the contexts.</summary>
    public static ReadOnlyMemory<byte> Write(AiRanking ranking) => WireWriter.Write(ranking, static (writer, ranking) =>
        {
            writer.WriteStartArray("response"u8);
            foreach (var one in ranking.Ranked)
            {
                writer.WriteStartObject();
                writer.WriteNumber("id"u8, one.Index);
                writer.WriteNumber("score"u8, one.Score);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            WireWriter.WriteUsage(writer, ranking.Usage ?? new UsageDetails(), isEmbedding: true);
        });
}
