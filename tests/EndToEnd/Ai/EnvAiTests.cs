using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary><c>env.AI</c> in functions: Workers AI's forms, over a provider that is scripted.</summary>
public sealed class EnvAiTests(ModelFixture models) : IClassFixture<ModelFixture>
{
    [Fact]
    public async Task A_prompt_is_answered_with_text_and_usage()
    {
        var model = models.Script(OpenAiAnswers.Chat("Hallo Köln", inputTokens: 3, outputTokens: 4));
        var answer = await models.RunAsync(model, "return [await AI.run(model, { prompt: 'hi', max_tokens: 9 }), AI === ai];");
        Assert.Equal("Hallo Köln", (string)answer![0]!["response"]!);
        Assert.Equal(
            (3, 4, 7),
            (Usage(answer[0]!, "prompt_tokens"), Usage(answer[0]!, "completion_tokens"), Usage(answer[0]!, "total_tokens"))
        );
        Assert.True((bool)answer[1]!);
        var request = Assert.Single(models.Requests(model));
        Assert.Equal("hi", (string)request.Body["messages"]![0]!["content"]!);
        Assert.Equal($"Bearer {ModelFixture.ProviderKey}", request.Headers["authorization"]);
    }

    [Fact]
    public async Task A_stream_arrives_while_the_provider_still_writes()
    {
        var gate = new TaskCompletionSource();
        var model = models.Script(OpenAiAnswers.Stream("Grüße ", "an ", "alle 😀") with { Hold = (1, gate.Task) });
        var function = await models.Sidecar.DeployAsync(
            $$"""
            export default { fetch: async (request, env) => new Response(await env.AI.run("{{model}}", { prompt: "p", stream: true }),
              { headers: { "content-type": "text/event-stream" } }) };
            """
        );
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + function);
        request.Headers.Authorization = new("Bearer", Tokens.For("authenticated"));
        using var response = await models.Sidecar.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Equal("""data: {"response":"Grüße "}""", await reader.ReadLineAsync());
        gate.SetResult();
        var rest = await reader.ReadToEndAsync();
        var texts = rest.Split("\n\n")
            .Where(text => text.StartsWith("\ndata: {", StringComparison.Ordinal) || text.StartsWith("data: {", StringComparison.Ordinal));
        Assert.Equal("an alle 😀", string.Concat(texts.Select(text => (string)JsonNode.Parse(text.Trim()[6..])!["response"]!)));
        Assert.Contains("\"total_tokens\":15", rest, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_a_stream_or_ending_the_invocation_ends_the_request_to_the_provider()
    {
        var before = models.Provider.AbortedCount;
        var never = new TaskCompletionSource();
        var model = models.Script(OpenAiAnswers.Stream("a", "b") with { Hold = (1, never.Task) });
        await models.RunAsync(
            model,
            """
            const reader = (await AI.run(model, { prompt: "p", stream: true })).getReader();
            await reader.read();
            await reader.cancel();
            (await AI.run(model, { prompt: "left open", stream: true })).getReader().read();
            const c = new AbortController();
            const waiting = AI.run(model, { prompt: "p", stream: true }, { signal: c.signal }).then((s) => { c.abort(); return s.getReader().read(); });
            return [await waiting.catch((e) => e.name)];
            """
        );
        await Eventually.HoldsAsync(() => Task.FromResult(models.Provider.AbortedCount >= before + 3));
    }

    [Fact]
    public async Task A_stream_that_is_cut_fails_where_it_is_read()
    {
        var model = models.Script(OpenAiAnswers.Stream("a", "b") with { Pieces = [.. OpenAiAnswers.Stream("a", "b").Pieces.Take(1)] });
        var answer = await models.RunAsync(
            model,
            """
            const reader = (await AI.run(model, { prompt: "p", stream: true })).getReader();
            let read = 0;
            try { for (;;) { const { done } = await reader.read(); if (done) return ["done"]; read++; } } catch (e) { return [read, e.code]; }
            """
        );
        Assert.Equal("""[1,"PGFN5107"]""", answer!.ToJsonString());
    }

    [Fact]
    public async Task A_tool_is_called_and_its_result_is_sent_back()
    {
        var model = models.Script(OpenAiAnswers.ToolCall("add", """{"a":1,"b":2}"""), OpenAiAnswers.Chat("three"));
        var answer = await models.RunAsync(
            model,
            """
            const messages = [{ role: "user", content: "1 + 2?" }];
            const tools = [{ name: "add", description: "adds", parameters: { type: "object", properties: { a: { type: "number" } } } }];
            const first = await AI.run(model, { messages, tools });
            const [call] = first.tool_calls;
            messages.push({ role: "assistant", content: "", tool_calls: first.tool_calls });
            messages.push({ role: "tool", name: call.name, content: String(call.arguments.a + call.arguments.b) });
            const second = await AI.run(model, { messages, tools });
            return [call, second.response];
            """
        );
        Assert.Equal(("add", 2, "call_1"), ((string)answer![0]!["name"]!, (int)answer[0]!["arguments"]!["b"]!, (string)answer[0]!["id"]!));
        Assert.Equal("""{"a":1,"b":2}""", (string)answer[0]!["function"]!["arguments"]!);
        Assert.Equal("three", (string)answer[1]!);
        var sent = models.Requests(model)[1].Body["messages"]!;
        Assert.Equal("call_1", (string)sent[1]!["tool_calls"]![0]!["id"]!);
        Assert.Equal(("call_1", "3"), ((string)sent[2]!["tool_call_id"]!, (string)sent[2]!["content"]!));
    }

    [Fact]
    public async Task A_schema_gives_a_value_and_text_that_is_no_JSON_an_error()
    {
        var model = models.Script(OpenAiAnswers.Chat("""{"city":"Bonn"}"""), OpenAiAnswers.Chat("""{"city":"Bo"""));
        var answer = await models.RunAsync(
            model,
            """
            const inputs = { prompt: "p", response_format: { type: "json_schema", json_schema: { type: "object", properties: { city: { type: "string" } } } } };
            const { response } = await AI.run(model, inputs);
            return [response.city, await AI.run(model, inputs).catch((e) => e.code)];
            """
        );
        Assert.Equal("""["Bonn","PGFN5156"]""", answer!.ToJsonString());
        var format = models.Requests(model)[0].Body["response_format"]!;
        Assert.Equal("json_schema", (string)format["type"]!);
        Assert.Equal("string", (string)format["json_schema"]!["schema"]!["properties"]!["city"]!["type"]!);
    }

    [Fact]
    public async Task Texts_become_vectors()
    {
        var model = models.Script(OpenAiAnswers.Embeddings("four", "three"));
        var answer = await models.RunAsync(model, "return await AI.run(model, { text: ['four', 'three'] });");
        Assert.Equal("""{"shape":[2,2],"data":[[4,0],[5,1]],"usage":{"prompt_tokens":7,"total_tokens":7}}""", answer!.ToJsonString());
    }

    [Theory]
    [InlineData("""{"results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"usage":{"total_tokens":7}}""", 7)]
    [InlineData("""{"data":[{"index":0,"relevance_score":0.1},{"index":2,"relevance_score":0.9}],"usage":{"total_tokens":7}}""", 7)]
    [InlineData("""[{"index":2,"score":0.9},{"index":0,"score":0.1}]""", 4)]
    public async Task Texts_are_ranked_by_the_model(string reply, int tokens)
    {
        var model = models.Script(ScriptedAnswer.Raw(reply));
        var answer = await models.RunAsync(
            model,
            "return await AI.run(model, { query: 'cats?', contexts: [{ text: 'dog' }, { text: 'ant' }, { text: 'cat' }], top_k: 2 });"
        );
        Assert.Equal("""[{"id":2,"score":0.9},{"id":0,"score":0.1}]""", answer!["response"]!.ToJsonString());
        var request = Assert.Single(models.Requests(model));
        Assert.Equal("/v1/rerank", request.Path);
        Assert.Equal("""["dog","ant","cat"]""", request.Body["documents"]!.ToJsonString());
        Assert.Equal(("cats?", 2), ((string)request.Body["query"]!, (int)request.Body["top_n"]!));
        Assert.Equal($"Bearer {ModelFixture.ProviderKey}", request.Headers["authorization"]);
        Assert.Equal(
            (long)tokens,
            await models.Sidecar.EventuallyAsync<long>(
                "select input_tokens from functions.ai_calls where model = $1 and operation = 'rerank' and provider = 'scripted'",
                model
            )
        );
    }

    [Theory]
    [InlineData("""{"results":[{"index":9,"relevance_score":1}]}""")]
    [InlineData("""{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]}""")]
    [InlineData("""{"results":"none"}""")]
    [InlineData("""{"choices":[]}""")]
    public async Task A_ranking_of_other_texts_is_an_error(string reply)
    {
        var model = models.Script(ScriptedAnswer.Raw(reply));
        var answer = await models.RunAsync(
            model,
            "return [await AI.run(model, { query: 'q', contexts: [{ text: 'a' }] }).catch((e) => e.code)];"
        );
        Assert.Equal("""["PGFN5108"]""", answer!.ToJsonString());
    }

    [Fact]
    public async Task returnRawResponse_gives_a_Response()
    {
        var model = models.Script(OpenAiAnswers.Chat("hi"), OpenAiAnswers.Stream("a"));
        var answer = await models.RunAsync(
            model,
            """
            const whole = await AI.run(model, { prompt: "p" }, { returnRawResponse: true });
            const stream = await AI.run(model, { prompt: "p", stream: true }, { returnRawResponse: true });
            return [whole instanceof Response, (await whole.json()).response, stream.headers.get("content-type"), (await stream.text()).slice(0, 28)];
            """
        );
        Assert.Equal(
            """[true,"hi","text/event-stream","data: {\"response\":\"a\"}\n\ndata"]""",
            answer!.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping })
        );
    }

    [Fact]
    public async Task An_equal_request_is_answered_from_the_cache_and_never_for_another_user()
    {
        var model = models.Script(OpenAiAnswers.Chat("first"), OpenAiAnswers.Chat("second"), OpenAiAnswers.Chat("third"));
        var function = await models.Sidecar.DeployAsync(
            $$"""
            export const handler = async () =>
              [(await env.AI.run("{{model}}", { prompt: "p", top_k: 5 }, { gateway: { cacheTtl: 600 } })).response];
            """
        );
        async Task<string> AskAsync(string subject) => (await models.Sidecar.CallAsync(function, subject: subject))!.ToJsonString();
        Assert.Equal("""["first"]""", await AskAsync("ada"));
        Assert.Equal("""["first"]""", await AskAsync("ada"));
        Assert.Equal("""["second"]""", await AskAsync("bob"));
        Assert.Equal(2, models.Requests(model).Count);
    }

    [Theory]
    [InlineData("AI.run(model, { prompt: 'p' }, { websocket: true })", "PGFN5152", "websocket")]
    [InlineData("AI.run(model, { requests: [] }, { queueRequest: true })", "PGFN5152", "queueRequest")]
    [InlineData("AI.run(model, { prompt: 'p', lora: 'x' })", "PGFN5152", "lora")]
    [InlineData("AI.run(model, { query: 'q', contexts: [] })", "PGFN5151", "contexts")]
    [InlineData("AI.run(model, { query: 'q', contexts: [{ text: 't' }], top_k: 0 })", "PGFN5151", "top_k")]
    [InlineData("AI.run(model, { query: 'q', contexts: [{ text: 't' }], lora: 'x' })", "PGFN5152", "lora")]
    [InlineData("AI.run(model, { messages: [] })", "PGFN5151", "messages")]
    [InlineData("AI.toMarkdown([])", "TypeError", "toMarkdown")]
    public async Task What_is_not_given_says_so(string expression, string code, string member)
    {
        var model = models.Script(OpenAiAnswers.Chat("unused"));
        var answer = await models.RunAsync(
            model,
            $"return [await (async () => {expression})().catch((e) => [e.code ?? e.name, e.message])];"
        );
        Assert.Equal(code, (string)answer![0]![0]!);
        Assert.Contains(member, (string)answer[0]![1]!, StringComparison.Ordinal);
        Assert.Empty(models.Requests(model));
    }

    [Fact]
    public async Task The_key_of_a_provider_and_the_errors_of_it_stay_outside()
    {
        var model = models.Script(ScriptedAnswer.Failure(401, "Incorrect API key provided: the-key-of-the-provider"));
        var function = await models.Sidecar.DeployAsync(
            $$"""
            export async function handler() {
              const e = await env.AI.run("{{model}}", { prompt: "p" }).catch((e) => e);
              return [e.code, e.message, JSON.stringify(Object.entries(env)), e.stack];
            }
            """
        );
        var answer = (await models.Sidecar.CallAsync(function))!.ToJsonString();
        Assert.Contains("PGFN51", answer, StringComparison.Ordinal);
        Assert.DoesNotContain(ModelFixture.ProviderKey, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_streams_left_open_are_refused_and_end_with_the_invocation()
    {
        var before = models.Provider.AbortedCount;
        var never = new TaskCompletionSource();
        var model = models.Script(OpenAiAnswers.Stream("a", "b") with { Hold = (1, never.Task) });
        var answer = await models.RunAsync(
            model,
            """
            const open = [];
            for (let i = 0; i < 17; i++) open.push(await AI.run(model, { prompt: "p", stream: true }).then(() => "open", (e) => e.code));
            return open;
            """
        );
        Assert.Equal(16, answer!.AsArray().Count(state => (string)state! == "open"));
        Assert.Equal("PGFN5155", (string)answer[16]!);
        await Eventually.HoldsAsync(() => Task.FromResult(models.Provider.AbortedCount >= before + 16));
    }

    [Fact]
    public async Task Models_are_listed()
    {
        var answer = await models.RunAsync("-", "return [await AI.models(), await AI.models({ search: 'nothing' })];");
        Assert.Equal("*", (string)answer![0]![0]!["id"]!);
        Assert.Empty(answer[1]!.AsArray());
    }

    private static int Usage(JsonNode answer, string member) => (int)answer["usage"]![member]!;
}
