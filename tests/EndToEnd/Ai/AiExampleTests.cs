using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>examples/rerank, examples/bot and examples/pipeline, as make run deploys them, over a scripted provider.</summary>
public sealed class AiExampleTests(ModelFixture models) : IClassFixture<ModelFixture>
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

    [Fact]
    public async Task Bot_answers_each_message_once_with_what_it_looked_up()
    {
        await DeployAsync("bot");
        models.Provider.Answer = request =>
        {
            var last = request.Body["messages"]!.AsArray()[^1]!;
            return (string)last["role"]! == "tool"
                ? OpenAiAnswers.Chat($"It is {JsonNode.Parse((string)last["content"]!)!["status"]}.")
                : OpenAiAnswers.ToolCall("order_status", """{"number":1}""");
        };
        const string Message = """{"channel":"c1","text":"Where is order 1?"}""";
        await SendAsync("bot", Message, "m1");
        await models.Sidecar.EventuallyAsync<long>("select msg_id from pgmq.\"q_bot-replies\"");
        Assert.Equal(
            """{"text": "It is shipped.", "channel": "c1"}""",
            await models.Sidecar.Database.ScalarAsync<string>("select message::text from pgmq.\"q_bot-replies\"")
        );
        // The same delivery again is the same event.
        await SendAsync("bot", Message, "m1");
        await SendAsync("bot", """{"channel":"c1","text":"And now?"}""", "m2");
        // The bot replies after it has stored its message.
        await Eventually.HoldsAsync(() => models.Sidecar.Database.ScalarAsync<bool>("select count(*) >= 2 from pgmq.\"q_bot-replies\""));
        Assert.Equal(4, await models.Sidecar.Database.ScalarAsync<long>("select count(*) from examples.bot_messages where channel = 'c1'"));
        var asked = models.Requests("gpt-5-mini")[^1].Body["messages"]!.AsArray();
        Assert.Equal(
            "It is shipped.",
            (string)asked.Last(message => (string)message!["role"]! == "assistant" && message["tool_calls"] is null)!["content"]!
        );
        Assert.Equal(2, await models.Sidecar.Database.ScalarAsync<long>("select count(*) from pgmq.\"q_bot-replies\""));
    }

    [Fact]
    public async Task Pipeline_brings_a_report_from_the_webhook_to_the_search()
    {
        await RequireVectorsAsync();
        await DeployAsync("pipeline");
        models.Provider.Answer = request =>
            request.Path.EndsWith("/chat/completions", StringComparison.Ordinal)
                ? OpenAiAnswers.Chat("In short: " + request.Body["messages"]![1]!["content"])
                : Embeddings(request);
        await SendAsync("pipeline", """{"id":"r1","text":"zebra is ill"}""", "r1");
        await SendAsync("pipeline", """{"id":"r2","text":"quiz"}""", "r2");
        await Eventually.HoldsAsync(() => models.Sidecar.Database.ScalarAsync<bool>("select count(*) = 2 from functions_vectors.pipeline"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/functions/v1/invoke/pipeline?like=ill+zebra");
        request.Headers.Authorization = new("Bearer", Tokens.For("authenticated"));
        using var response = await models.Sidecar.Http.SendAsync(request);
        var found = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal("""{"id":"r1","summary":"In short: zebra is ill"}""", found[0]!.ToJsonString());
        Assert.Equal(2, found.AsArray().Count);
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
        if (File.Exists(Path.Combine(folder, "trigger.sql")))
            await models.Sidecar.Database.ExecuteAsync(await File.ReadAllTextAsync(Path.Combine(folder, "trigger.sql")));
    }

    /// <summary>Sends a webhook as its service signs it.</summary>
    private async Task SendAsync(string webhook, string body, string id)
    {
        var signature = HMACSHA256.HashData("a secret for trying the example"u8, Encoding.UTF8.GetBytes(body));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/webhook/" + webhook);
        request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        request.Headers.Add("X-Webhook-Signature", "sha256=" + Convert.ToHexStringLower(signature));
        request.Headers.Add("X-Webhook-Id", id);
        using var response = await models.Sidecar.Http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
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
