using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary><c>env.AI</c> and clients of OpenAI's protocol, over a provider that speaks Anthropic's.</summary>
public sealed class AnthropicTests(AnthropicTests.AnthropicFixture models) : IClassFixture<AnthropicTests.AnthropicFixture>
{
    private static readonly object Call = new
    {
        type = "tool_use",
        id = "toolu_1",
        name = "add",
        input = new { a = 1, b = 2 },
    };

    private static readonly object Thought = new
    {
        type = "thinking",
        thinking = "One and two.",
        signature = "c2lnbmVk",
    };

    [Fact]
    public async Task A_prompt_is_answered_with_text_and_usage()
    {
        var model = models.Script(AnthropicAnswers.Chat("Hallo Köln", inputTokens: 3, outputTokens: 4, cachedTokens: 2));
        var answer = await models.RunAsync(
            model,
            "return await AI.run(model, { messages: [{ role: 'system', content: 'short' }, { role: 'user', content: 'hi' }] });"
        );
        Assert.Equal("Hallo Köln", (string)answer!["response"]!);
        // Anthropic counts what it had cached apart, OpenAI does not.
        Assert.Equal((5, 4), ((int)answer["usage"]!["prompt_tokens"]!, (int)answer["usage"]!["completion_tokens"]!));
        var sent = Assert.Single(models.Requests(model));
        Assert.Equal(("/v1/messages", ModelFixture.ProviderKey), (sent.Path, sent.Headers["x-api-key"]));
        Assert.Equal("short", (string)sent.Body["system"]![0]!["text"]!);
        Assert.Equal(4096, (int)sent.Body["max_tokens"]!);
    }

    [Fact]
    public async Task A_tool_is_called_and_its_result_and_the_thinking_are_sent_back()
    {
        var model = models.Script(AnthropicAnswers.Message("tool_use", Thought, Call), AnthropicAnswers.Chat("three"));
        var answer = await models.RunAsync(
            model,
            """
            const messages = [{ role: "user", content: "1 + 2?" }];
            const tools = [{ name: "add", description: "adds", parameters: { type: "object", properties: { a: { type: "number" } } } }];
            const first = await AI.run(model, { messages, tools, reasoning_effort: "low" });
            const [call] = first.tool_calls;
            messages.push({ role: "assistant", content: "", tool_calls: first.tool_calls, thinking_blocks: first.thinking_blocks });
            messages.push({ role: "tool", name: call.name, content: String(call.arguments.a + call.arguments.b) });
            const second = await AI.run(model, { messages, tools, reasoning_effort: "low" });
            return [call, first.reasoning_content, second.response, "reasoning_content" in second];
            """
        );
        Assert.Equal(("add", 2, "toolu_1"), ((string)answer![0]!["name"]!, (int)answer[0]!["arguments"]!["b"]!, (string)answer[0]!["id"]!));
        Assert.Equal(("One and two.", "three", false), ((string)answer[1]!, (string)answer[2]!, (bool)answer[3]!));
        var requests = models.Requests(model);
        Assert.Equal("number", (string)requests[0].Body["tools"]![0]!["input_schema"]!["properties"]!["a"]!["type"]!);
        Assert.Equal("adaptive", (string)requests[0].Body["thinking"]!["type"]!);
        var sent = requests[1].Body["messages"]!;
        Assert.Equal(
            ("thinking", "c2lnbmVk", "tool_use"),
            (
                (string)sent[1]!["content"]![0]!["type"]!,
                (string)sent[1]!["content"]![0]!["signature"]!,
                (string)sent[1]!["content"]![1]!["type"]!
            )
        );
        Assert.Equal("toolu_1", (string)sent[2]!["content"]![0]!["tool_use_id"]!);
    }

    [Fact]
    public async Task A_schema_gives_a_value()
    {
        var model = models.Script(AnthropicAnswers.Chat("""{"city":"Bonn"}"""));
        var answer = await models.RunAsync(
            model,
            """
            const json_schema = { type: "object", properties: { city: { type: "string" } } };
            return [(await AI.run(model, { prompt: "p", response_format: { type: "json_schema", json_schema } })).response.city];
            """
        );
        Assert.Equal("Bonn", (string)answer![0]!);
        Assert.Equal("json_schema", (string)Assert.Single(models.Requests(model)).Body["output_config"]!["format"]!["type"]!);
    }

    [Fact]
    public async Task A_stream_has_texts_thinking_and_a_call_whose_arguments_came_in_pieces()
    {
        var model = models.Script(
            AnthropicAnswers
                .BlockStream(
                    "tool_use",
                    (
                        new
                        {
                            type = "thinking",
                            thinking = "",
                            signature = "",
                        },
                        [new { type = "thinking_delta", thinking = "Hm." }, new { type = "signature_delta", signature = "c2ln" }]
                    ),
                    (new { type = "text", text = "" }, [Text("Grüße "), Text("😀")]),
                    (
                        new
                        {
                            type = "tool_use",
                            id = "toolu_1",
                            name = "add",
                            input = new { },
                        },
                        [Piece("{\"a\""), Piece(": \"ä"), Piece("\"}")]
                    )
                )
                .SplitEvery(7)
        );
        var answer = await models.RunAsync(
            model,
            """
            const text = await new Response(await AI.run(model, { prompt: "p", stream: true })).text();
            const events = text.split("\n\n").filter((line) => line.startsWith("data: {")).map((line) => JSON.parse(line.slice(6)));
            return { text: events.map((e) => e.response).join(""), thought: events.map((e) => e.reasoning_content ?? "").join(""),
              blocks: events.flatMap((e) => e.thinking_blocks ?? []), call: events.flatMap((e) => e.tool_calls ?? [])[0].arguments,
              usage: events.at(-1).usage.total_tokens, done: text.endsWith("data: [DONE]\n\n") };
            """
        );
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse(
                    """{"text":"Grüße 😀","thought":"Hm.","blocks":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"}],"call":{"a":"ä"},"usage":15,"done":true}"""
                ),
                answer
            ),
            answer!.ToJsonString()
        );
    }

    [Fact]
    public async Task Failures_have_their_codes()
    {
        var busy = models.Script(ScriptedAnswer.Failure(429, "slow down", ("retry-after", "7")));
        var overloaded = models.Script(ScriptedAnswer.Failure(529, "Overloaded"));
        var refused = models.Script(ScriptedAnswer.Failure(400, "max_tokens is too large"));
        var cut = models.Script(AnthropicAnswers.Stream("a", "b") with { Pieces = [.. AnthropicAnswers.Stream("a", "b").Pieces.Take(4)] });
        var answer = await models.RunAsync(
            busy,
            $$"""
            const codes = [];
            for (const name of [model, "{{overloaded}}", "{{refused}}"]) codes.push(await AI.run(name, { prompt: "p" }).catch((e) => e.code));
            codes.push(await AI.run("{{cut}}", { prompt: "p", stream: true }).then((s) => new Response(s).text()).catch((e) => e.code));
            return codes;
            """
        );
        Assert.Equal("""["PGFN5110","PGFN5105","PGFN5109","PGFN5107"]""", answer!.ToJsonString());
    }

    [Fact]
    public async Task The_SDK_of_OpenAI_works_with_the_endpoint()
    {
        NodeSdk.Require();
        var names = new JsonObject
        {
            ["chat"] = models.Script(AnthropicAnswers.Message("tool_use", Thought, Call), AnthropicAnswers.Chat("three")),
            ["stream"] = models.Script(AnthropicAnswers.Stream("Grüße ", "😀").SplitEvery(7)),
            ["tools"] = models.Script(AnthropicAnswers.ToolStream("add", "{\"a\"", ":1}").SplitEvery(5)),
            ["schema"] = models.Script(AnthropicAnswers.Chat("""{"city":"Bonn"}""")),
            ["busy"] = models.Script(ScriptedAnswer.Failure(429, "slow down", ("retry-after", "7"))),
            ["overloaded"] = models.Script(ScriptedAnswer.Failure(529, "Overloaded")),
        };
        var output = await NodeSdk.RunAsync(
            $$"""
            import OpenAI from "openai";
            const models = {{names.ToJsonString()}}, result = {};
            const client = new OpenAI({ baseURL: "{{models.Sidecar.Sidecar.Url}}functions/v1/ai", apiKey: "{{Tokens.For(
                "authenticated",
                "u"
            )}}", maxRetries: 0 });
            const messages = [{ role: "user", content: "1 + 2?" }];
            const tools = [{ type: "function", function: { name: "add", parameters: { type: "object", properties: {} } } }];
            const first = (await client.chat.completions.create({ model: models.chat, messages, tools })).choices[0].message;
            result.thought = first.reasoning_content;
            // The message is sent back as it came, with what the SDK does not know.
            messages.push(first, { role: "tool", tool_call_id: first.tool_calls[0].id, content: "3" });
            result.answer = (await client.chat.completions.create({ model: models.chat, messages, tools })).choices[0].message.content;
            result.stream = "";
            for await (const chunk of await client.chat.completions.create({ model: models.stream, messages, stream: true, stream_options: { include_usage: true } })) {
              result.stream += chunk.choices[0]?.delta?.content ?? "";
              if (chunk.usage) result.total = chunk.usage.total_tokens;
            }
            const [call] = (await client.chat.completions.stream({ model: models.tools, messages, tools }).finalChatCompletion()).choices[0].message.tool_calls;
            result.call = [call.id, call.function.name, call.function.arguments];
            const response_format = { type: "json_schema", json_schema: { name: "place", schema: { type: "object", properties: { city: { type: "string" } } } } };
            result.city = JSON.parse((await client.chat.completions.create({ model: models.schema, messages, response_format })).choices[0].message.content).city;
            for (const name of ["busy", "overloaded"]) {
              const failure = await client.chat.completions.create({ model: models[name], messages }).catch((e) => e);
              result[name] = [failure.constructor.name, failure.status, failure.code, failure.headers.get("retry-after")];
            }
            console.log(JSON.stringify(result));
            """
        );
        Assert.Equal(
            """{"thought":"One and two.","answer":"three","stream":"Grüße 😀","total":15,"call":["toolu_1","add","{\"a\":1}"],"city":"Bonn","busy":["RateLimitError",429,"PGFN5110","7"],"overloaded":["InternalServerError",502,"PGFN5105",null]}""",
            output
        );
        var sent = models.Requests((string)names["chat"]!)[1].Body["messages"]![1]!["content"]!;
        Assert.Equal("c2lnbmVk", (string)sent[0]!["signature"]!);
    }

    private static object Text(string text) => new { type = "text_delta", text };

    private static object Piece(string json) => new { type = "input_json_delta", partial_json = json };

    /// <summary>A sidecar whose only provider of models is a scripted one of the kind <c>anthropic</c>.</summary>
    public sealed class AnthropicFixture : ModelFixture
    {
        /// <inheritdoc/>
        protected override (string Kind, string Path) Kind => ("anthropic", "");
    }
}
