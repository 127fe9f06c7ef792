using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>examples/rerank, as make run deploys it, over a scripted provider.</summary>
public sealed class RerankExampleTests(ModelFixture models) : IClassFixture<ModelFixture>
{
    private const int Dimensions = 1536;

    [Fact]
    public async Task Search_puts_what_the_ranking_model_prefers_first_and_answers_without_it()
    {
        await RequireVectorsAsync();
        await DeployAsync("rerank");
        var fails = false;
        models.Provider.Answer = request =>
            !request.Path.EndsWith("/rerank", StringComparison.Ordinal) ? Embeddings(request)
            : fails ? ScriptedAnswer.Failure(400, "no such model")
            : Rank(request);
        foreach (var (id, text) in ((string, string)[])[("a", "zebra zebra"), ("b", "the zebra eats grass"), ("c", "quiz")])
            await models.Sidecar.CallAsync("rerank", $$$"""{"add":{"id":"{{{id}}}","text":"{{{text}}}"}}""", role: "service_role");
        using (var forbidden = await models.Sidecar.PostAsync("rerank", """{"add":{"id":"d","text":"eve's"}}"""))
            Assert.False(forbidden.IsSuccessStatusCode);

        var found = await models.Sidecar.CallAsync("rerank", """{"query":"zebra zebra","top":2}""");
        Assert.True((bool)found!["reranked"]!);
        // The stand-in prefers longer texts; the vectors alone would prefer the equal one.
        Assert.Equal(["b", "a"], found["articles"]!.AsArray().Select(article => (string)article!["id"]!));

        fails = true;
        found = await models.Sidecar.CallAsync("rerank", """{"query":"zebra  zebra","top":1}""");
        Assert.False((bool)found!["reranked"]!);
        Assert.Equal("a", (string)found["articles"]![0]!["id"]!);
        using var wrong = await models.Sidecar.PostAsync("rerank", """{"query":"q","top":0}""");
        Assert.Equal(400, (int)wrong.StatusCode);
    }

    private async Task RequireVectorsAsync() =>
        Assert.SkipUnless(
            await models.Sidecar.Database.ScalarAsync<bool>("select exists (select from pg_available_extensions where name = 'vector')"),
            "The test server has no pgvector (scripts/pgvector.sh)."
        );

    private async Task DeployAsync(string name)
    {
        var folder = Path.Combine(PostgresServer.Root, "examples", name);
        await models.Sidecar.Database.ExecuteAsync(await File.ReadAllTextAsync(Path.Combine(folder, "schema.sql")));
        await models.Sidecar.DeployAsAsync(
            name,
            await File.ReadAllTextAsync(Path.Combine(folder, "index.js")),
            await File.ReadAllTextAsync(Path.Combine(folder, "function.json"))
        );
    }

    /// <summary>Longer texts first.</summary>
    private static ScriptedAnswer Rank(ScriptedRequest request) =>
        ScriptedAnswer.Raw(
            new JsonObject
            {
                ["results"] = new JsonArray([
                    .. request.Body["documents"]!
                        .AsArray()
                        .Select((text, index) => (index, length: ((string)text!).Length))
                        .OrderByDescending(one => one.length)
                        .Take((int)request.Body["top_n"]!)
                        .Select(one => new JsonObject { ["index"] = one.index, ["relevance_score"] = one.length }),
                ]),
            }.ToJsonString()
        );

    /// <summary>Vectors that count the letters, so that texts with the same words are near.</summary>
    private static ScriptedAnswer Embeddings(ScriptedRequest request)
    {
        var input = request.Body["input"]!;
        var texts = input is JsonArray several ? several.Select(text => (string)text!) : [(string)input!];
        var data = new JsonArray();
        foreach (var text in texts)
        {
            var vector = new float[Dimensions];
            foreach (var letter in text)
                vector[letter % Dimensions]++;
            data.Add(
                new JsonObject
                {
                    ["object"] = "embedding",
                    ["index"] = data.Count,
                    ["embedding"] = Convert.ToBase64String([.. vector.SelectMany(BitConverter.GetBytes)]),
                }
            );
        }
        return ScriptedAnswer.Raw(
            new JsonObject
            {
                ["object"] = "list",
                ["model"] = "scripted",
                ["data"] = data,
                ["usage"] = new JsonObject { ["prompt_tokens"] = 1, ["total_tokens"] = 1 },
            }.ToJsonString()
        );
    }
}
