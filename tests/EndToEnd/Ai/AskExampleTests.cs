using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>examples/ask: questions answered from notes that are found by their vectors.</summary>
public sealed class AskExampleTests(ModelFixture models) : IClassFixture<ModelFixture>
{
    private const int Dimensions = 1536;

    [Fact]
    public async Task A_question_is_answered_from_the_callers_own_notes_with_their_sources()
    {
        Assert.SkipUnless(
            await models.Sidecar.Database.ScalarAsync<bool>("select exists (select from pg_available_extensions where name = 'vector')"),
            "The test server has no pgvector (scripts/pgvector.sh)."
        );
        var folder = Path.Combine(PostgresServer.Root, "examples/ask");
        await models.Sidecar.Database.ExecuteAsync(await File.ReadAllTextAsync(Path.Combine(folder, "schema.sql")));
        await models.Sidecar.DeployAsAsync(
            "ask",
            await File.ReadAllTextAsync(Path.Combine(folder, "index.js")),
            await File.ReadAllTextAsync(Path.Combine(folder, "function.json"))
        );
        models.Provider.Answer = Answer;

        await models.Sidecar.CallAsync("ask", """{"add":{"id":"n1","text":"zebra food is grass"}}""", subject: "ada");
        await models.Sidecar.CallAsync("ask", """{"add":{"id":"n2","text":"quick quiz on Monday"}}""", subject: "ada");
        await models.Sidecar.CallAsync("ask", """{"add":{"id":"n3","text":"secret of bob: zebra"}}""", subject: "bob");

        var answer = await models.Sidecar.CallAsync("ask", """{"question":"zebra food?"}""", subject: "ada");
        Assert.Equal("""{"answer":"They eat grass [1].","sources":[{"id":"n1","text":"zebra food is grass"}]}""", answer!.ToJsonString());
        var asked = models.Requests("gpt-5-mini").Single().Body["messages"]![1]!["content"]!.ToString();
        Assert.StartsWith(
            "Notes:\n[1] zebra food is grass\n[2] quick quiz on Monday\n\nQuestion: zebra food?",
            asked,
            StringComparison.Ordinal
        );

        Assert.Equal(
            """{"answer":"There are no notes yet.","sources":[]}""",
            (await models.Sidecar.CallAsync("ask", """{"question":"zebra food?"}""", subject: "eve"))!.ToJsonString()
        );
        using var wrong = await models.Sidecar.PostAsync("ask", "{}", subject: "ada");
        Assert.Equal(400, (int)wrong.StatusCode);
    }

    /// <summary>Vectors that count the letters, so that texts with the same words are near; an answer that cites the first note.</summary>
    private static ScriptedAnswer Answer(ScriptedRequest request)
    {
        if (request.Path.EndsWith("/chat/completions", StringComparison.Ordinal))
            return OpenAiAnswers.Chat("They eat grass [1].");
        var input = request.Body["input"]!;
        var text = (input is JsonArray texts ? texts[0]! : input).ToString();
        var vector = new float[Dimensions];
        foreach (var letter in text)
            vector[letter % Dimensions]++;
        var bytes = vector.SelectMany(BitConverter.GetBytes).ToArray();
        return ScriptedAnswer.Raw(
            new JsonObject
            {
                ["object"] = "list",
                ["model"] = "scripted",
                ["data"] = new JsonArray(
                    new JsonObject
                    {
                        ["object"] = "embedding",
                        ["index"] = 0,
                        ["embedding"] = Convert.ToBase64String(bytes),
                    }
                ),
                ["usage"] = new JsonObject { ["prompt_tokens"] = 1, ["total_tokens"] = 1 },
            }.ToJsonString()
        );
    }
}
