using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>OpenAI's own SDKs, unchanged: as clients of the endpoint, and inside a function.</summary>
public sealed class SdkTests(ModelFixture models) : IClassFixture<ModelFixture>
{
    /// <summary>What the SDK for JavaScript does in Node.js and in a function; <c>client</c> and <c>models</c> are given.</summary>
    private const string Uses = """
        const result = {};
        const messages = [{ role: "user", content: "hi" }];
        result.chat = (await client.chat.completions.create({ model: models.chat, messages })).choices[0].message.content;
        result.stream = "";
        for await (const chunk of await client.chat.completions.create({
          model: models.stream, messages, stream: true, stream_options: { include_usage: true },
        })) {
          result.stream += chunk.choices[0]?.delta?.content ?? "";
          if (chunk.usage) result.total = chunk.usage.total_tokens;
        }
        const tools = [{ type: "function", function: { name: "add", parameters: { type: "object", properties: {} } } }];
        const runner = client.chat.completions.stream({ model: models.tools, messages, tools });
        const [call] = (await runner.finalChatCompletion()).choices[0].message.tool_calls;
        result.call = [call.id, call.function.name, call.function.arguments];
        result.vectors = (await client.embeddings.create({ model: models.vectors, input: ["four", "three"] })).data.map((v) => v.embedding);
        result.models = (await client.models.list()).data.map((model) => model.id);
        const failure = await client.chat.completions.create({ model: models.busy, messages }).catch((e) => e);
        result.failure = [failure.constructor.name, failure.status, failure.code];
        const wrong = await client.chat.completions.create({ model: models.chat, messages, n: 2 }).catch((e) => e);
        result.wrong = [wrong.constructor.name, wrong.status, wrong.param];
        const broken = await (async () => {
          for await (const _ of await client.chat.completions.create({ model: models.cut, messages, stream: true }));
        })().catch((e) => e);
        result.broken = [broken instanceof OpenAI.APIError, broken.code];
        """;

    private const string Results =
        """{"chat":"hello","stream":"Grüße 😀","total":15,"call":["call_1","add","{\"a\":1}"],"vectors":[[4,0],[5,1]],"models":["*"],"failure":["RateLimitError",429,"PGFN5110"],"wrong":["BadRequestError",400,"n"],"broken":[true,"PGFN5107"]}""";

    [Fact]
    public async Task The_SDK_for_JavaScript_works_with_the_endpoint()
    {
        NodeSdk.Require();
        var program = $$"""
            import OpenAI from "openai";
            const models = {{Script()}};
            const client = new OpenAI({
              baseURL: {{JsonValue.Create(models.Sidecar.Sidecar.Url + "functions/v1/ai").ToJsonString()}}, apiKey: "{{Tokens.For(
                "authenticated",
                "u"
            )}}", maxRetries: 0,
            });
            {{Uses}}
            console.log(JSON.stringify(result));
            """;
        Assert.Equal(Results, await NodeSdk.RunAsync(program));
    }

    [Fact]
    public async Task The_SDK_for_JavaScript_works_in_a_function_without_a_token_and_an_allowed_host()
    {
        NodeSdk.Require();
        var folder = Directory.CreateTempSubdirectory("pgfn-");
        try
        {
            Directory.CreateSymbolicLink(Path.Combine(folder.FullName, "node_modules"), Path.Combine(NodeSdk.Folder, "node_modules"));
            await File.WriteAllTextAsync(
                Path.Combine(folder.FullName, "index.js"),
                $$"""
                import OpenAI from "openai";
                export default { async fetch(request, env) {
                  const models = {{Script()}};
                  const client = new OpenAI({ apiKey: "-", fetch: env.AI.fetch, maxRetries: 0 });
                  {{Uses}}
                  return Response.json(result);
                } };
                """
            );
            var name = "sdk-" + Guid.NewGuid().ToString("n")[..8];
            var esbuild = Path.Combine(PostgresServer.Root, "examples/node_modules/.bin");
            var (code, _, error) = await DeployCommand.RunAsync(
                models.Sidecar.Database.ConnectionString,
                folder.FullName,
                [name, folder.FullName],
                ("PATH", esbuild + ":" + Environment.GetEnvironmentVariable("PATH"))
            );
            Assert.True(code == 0, error);
            Assert.Equal(JsonNode.Parse(Results)!.ToJsonString(), (await models.Sidecar.CallAsync(name))!.ToJsonString());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_SDK_for_NET_works_with_the_endpoint()
    {
        var options = new OpenAIClientOptions
        {
            Endpoint = new Uri(models.Sidecar.Sidecar.Url, "functions/v1/ai"),
            RetryPolicy = new ClientRetryPolicy(0),
        };
        var client = new OpenAIClient(new ApiKeyCredential(Tokens.For("service_role")), options);

        ChatCompletion answer = await client.GetChatClient(models.Script(OpenAiAnswers.Chat("hello"))).CompleteChatAsync("hi");
        Assert.Equal(("hello", 15), (answer.Content[0].Text, answer.Usage.TotalTokenCount));

        var text = "";
        var total = 0;
        await foreach (
            var update in client.GetChatClient(models.Script(OpenAiAnswers.Stream("Grüße ", "😀"))).CompleteChatStreamingAsync("hi")
        )
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            total = update.Usage?.TotalTokenCount ?? total;
        }
        Assert.Equal(("Grüße 😀", 15), (text, total));

        var tool = ChatTool.CreateFunctionTool("add", "adds", BinaryData.FromString("""{"type":"object","properties":{}}"""));
        ChatCompletion called = await client
            .GetChatClient(models.Script(OpenAiAnswers.ToolCall("add", """{"a":1}""")))
            .CompleteChatAsync([new UserChatMessage("hi")], new ChatCompletionOptions { Tools = { tool } });
        Assert.Equal(ChatFinishReason.ToolCalls, called.FinishReason);
        Assert.Equal(("call_1", "{\"a\":1}"), (called.ToolCalls[0].Id, called.ToolCalls[0].FunctionArguments.ToString()));

        OpenAIEmbeddingCollection vectors = await client
            .GetEmbeddingClient(models.Script(OpenAiAnswers.Embeddings("four", "three")))
            .GenerateEmbeddingsAsync(["four", "three"]);
        Assert.Equal([5f, 1f], vectors[1].ToFloats().ToArray());

        var busy = await Assert.ThrowsAsync<ClientResultException>(() =>
            client.GetChatClient(models.Script(ScriptedAnswer.Failure(429, "slow down"))).CompleteChatAsync("hi")
        );
        Assert.Equal(429, busy.Status);
    }

    /// <summary>The names of models for <see cref="Uses"/>, as a literal of JavaScript.</summary>
    private string Script() =>
        new JsonObject
        {
            ["chat"] = models.Script(OpenAiAnswers.Chat("hello")),
            ["stream"] = models.Script(OpenAiAnswers.Stream("Grüße ", "😀").SplitEvery(7)),
            ["tools"] = models.Script(OpenAiAnswers.ToolStream("add", "{\"a\"", ":1}")),
            ["vectors"] = models.Script(OpenAiAnswers.Embeddings("four", "three")),
            ["busy"] = models.Script(ScriptedAnswer.Failure(429, "slow down")),
            ["cut"] = models.Script(OpenAiAnswers.Stream("a") with { Pieces = [.. OpenAiAnswers.Stream("a").Pieces.Take(1)] }),
        }.ToJsonString();
}
