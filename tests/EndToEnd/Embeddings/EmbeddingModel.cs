using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Embeddings;

/// <summary>A model whose vectors count the words of a small vocabulary, so that texts on the same subject are near each other.</summary>
internal static class EmbeddingModel
{
    /// <summary>How many numbers a vector has.</summary>
    public const int Dimensions = 9;

    private static readonly string[] Vocabulary = ["cat", "dog", "sleep", "eat", "ship", "sea", "wind", "river"];

    /// <summary>Answers a request of embeddings.</summary>
    public static ScriptedAnswer Answer(ScriptedRequest request) =>
        ScriptedAnswer.Raw(
            new JsonObject
            {
                ["object"] = "list",
                ["model"] = "counting",
                ["data"] = new JsonArray([.. Inputs(request).Select(Embed)]),
                ["usage"] = new JsonObject { ["prompt_tokens"] = 1, ["total_tokens"] = 1 },
            }.ToJsonString()
        );

    /// <summary>The texts of a request.</summary>
    public static IEnumerable<string> Inputs(ScriptedRequest request) =>
        request.Body["input"] is JsonArray all ? all.Select(static text => (string)text!) : [(string)request.Body["input"]!];

    private static JsonNode Embed(string text, int index)
    {
        var words = text.ToLowerInvariant().Split((char[])[' ', '.', ',', '\n'], StringSplitOptions.RemoveEmptyEntries);
        // The last number keeps texts without these words apart from zero.
        float[] vector = [.. Vocabulary.Select(word => (float)words.Count(one => one.StartsWith(word, StringComparison.Ordinal))), 0.1f];
        return new JsonObject
        {
            ["object"] = "embedding",
            ["index"] = index,
            ["embedding"] = Convert.ToBase64String([.. vector.SelectMany(BitConverter.GetBytes)]),
        };
    }
}
