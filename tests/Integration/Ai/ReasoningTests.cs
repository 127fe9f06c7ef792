using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Core.Ai.Wire;
using Functions.PgSidecar.Testing.Ai;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>The reasoning of models reaches clients of OpenAI's protocol, and goes back to Anthropic as it came.</summary>
public sealed class ReasoningTests : IAsyncLifetime
{
    private const string Question = """{"role": "user", "content": "How warm is it in Zürich?"}""";
    private const string Tools =
        """[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]""";

    private const string Sent = """
        [{"thinking":"Let me see.","signature":"c2lnbmVk","type":"thinking"},{"data":"aGlkZGVu","type":"redacted_thinking"},{"thinking":"","signature":"b21pdHRlZA==","type":"thinking"},{"input":{"city":"Zürich"},"name":"weather","id":"toolu_1","type":"tool_use"}]
        """;

    private static readonly object[] Blocks =
    [
        new
        {
            type = "thinking",
            thinking = "Let me see.",
            signature = "c2lnbmVk",
        },
        new { type = "redacted_thinking", data = "aGlkZGVu" },
        new
        {
            type = "thinking",
            thinking = "",
            signature = "b21pdHRlZA==",
        },
        new
        {
            type = "tool_use",
            id = "toolu_1",
            name = "weather",
            input = new { city = "Zürich" },
        },
    ];

    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Theory]
    [InlineData("reasoning_content", false)]
    [InlineData("reasoning_content", true)]
    [InlineData("reasoning", false)]
    [InlineData("reasoning", true)]
    public async Task Reasoning_of_servers_of_the_kind_openai_is_passed_on(string member, bool isStreamed)
    {
        var provider = await ai.AddProviderAsync("main");
        provider.Enqueue(
            isStreamed
                ? ScriptedAnswer.Events([
                    OpenAiAnswers.Chunk(new Dictionary<string, string> { ["role"] = "assistant", [member] = "Hm, " }),
                    OpenAiAnswers.Chunk(new Dictionary<string, string> { [member] = "well." }),
                    OpenAiAnswers.Chunk(new { content = "42" }),
                    OpenAiAnswers.Chunk(new { }, "stop"),
                    OpenAiAnswers.Done,
                ])
                : ScriptedAnswer.Raw(
                    $$"""{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"42","{{member}}":"Hm, well."},"finish_reason":"stop"}]}"""
                )
        );

        var message = await AskAsync($$"""{"model": "m", "stream": {{Json(isStreamed)}}, "messages": [{{Question}}]}""");

        Assert.Equal(("42", "Hm, well."), ((string?)message["content"], (string?)message["reasoning_content"]));
        Assert.Null(message["thinking_blocks"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Thinking_is_sent_back_to_Anthropic_unchanged_with_the_results_of_tools(bool isStreamed)
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");
        provider.Enqueue(isStreamed ? ThinkingStream().SplitEvery(7) : AnthropicAnswers.Message("tool_use", Blocks));
        var request =
            $$"""{"model": "m", "reasoning_effort": "low", "stream": {{Json(isStreamed)}}, "tools": {{Tools}}, "messages": [{{Question}}]}""";

        var message = await AskAsync(request);

        Assert.Equal("Let me see.", (string?)message["reasoning_content"]);
        Assert.Equal(
            """[{"type":"thinking","thinking":"Let me see.","signature":"c2lnbmVk"},{"type":"redacted_thinking","data":"aGlkZGVu"},{"type":"thinking","thinking":"","signature":"b21pdHRlZA=="}]""",
            Relaxed(message["thinking_blocks"]!)
        );
        Assert.Equal("adaptive", (string?)provider.Requests[0].Body["thinking"]!["type"]);

        var next = JsonNode.Parse(request)!;
        next["messages"]!.AsArray().Add(message);
        next["messages"]!.AsArray().Add(JsonNode.Parse("""{"role": "tool", "tool_call_id": "toolu_1", "content": "21 °C"}"""));
        provider.Enqueue(isStreamed ? AnthropicAnswers.Stream("21 °C") : AnthropicAnswers.Chat("21 °C"));
        var answer = await AskAsync(next.ToJsonString());

        Assert.Equal("21 °C", (string?)answer["content"]);
        var sent = provider.Requests[1].Body["messages"]!;
        Assert.True(
            JsonNode.DeepEquals(JsonNode.Parse(Sent), sent[1]!["content"]),
            $"Expected {Sent}, but {Relaxed(sent[1]!["content"]!)} was sent."
        );
        Assert.Equal("toolu_1", (string?)sent[2]!["content"]![0]!["tool_use_id"]);
    }

    [Fact]
    public async Task Reasoning_without_a_signature_is_not_sent_to_Anthropic()
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");

        await AskAsync(
            $$"""{"model": "m", "messages": [{{Question}}, {"role": "assistant", "content": "Warm.", "reasoning_content": "Hm."}, {{Question}}]}"""
        );

        Assert.Equal("""[{"text":"Warm.","type":"text"}]""", Sorted(Assert.Single(provider.Requests).Body["messages"]![1]!["content"]!));
    }

    [Fact]
    public async Task Thinking_of_Anthropic_is_not_sent_to_servers_of_the_kind_openai()
    {
        var provider = await ai.AddProviderAsync("main");

        await AskAsync(
            $$"""{"model": "m", "messages": [{{Question}}, {"role": "assistant", "content": "Warm.", "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]}, {{Question}}]}"""
        );

        Assert.DoesNotContain("Hm.", Assert.Single(provider.Requests).Body.ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""[{"type": "thinking", "thinking": "a"}]""", "messages[0].thinking_blocks[0].signature")]
    [InlineData("""[{"type": "secret"}]""", "messages[0].thinking_blocks[0].type")]
    [InlineData("""["a"]""", "messages[0].thinking_blocks[0]")]
    [InlineData("\"a\"", "messages[0].thinking_blocks")]
    public async Task Blocks_that_can_not_be_read_are_refused(string blocks, string parameter)
    {
        await ai.AddProviderAsync("main", "anthropic");

        var answer = await SendAsync(
            $$"""{"model": "m", "messages": [{"role": "assistant", "content": "a", "thinking_blocks": {{blocks}}}]}"""
        );

        Assert.Equal(400, answer.Status);
        Assert.Equal(parameter, (string?)JsonNode.Parse(answer.Body.Span)!["error"]!["param"]);
    }

    [Fact]
    public async Task Tool_that_is_required_by_name_is_required_of_Anthropic()
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");

        await AskAsync(
            $$$"""{"model": "m", "max_tokens": 77, "tools": {{{Tools}}}, "tool_choice": {"type": "function", "function": {"name": "weather"}}, "messages": [{{{Question}}}]}"""
        );

        var sent = Assert.Single(provider.Requests).Body;
        Assert.Equal(("tool", "weather"), ((string?)sent["tool_choice"]!["type"], (string?)sent["tool_choice"]!["name"]));
        Assert.Equal(("m", 77, 1), ((string?)sent["model"], (int?)sent["max_tokens"], sent["messages"]!.AsArray().Count));
    }

    [Theory]
    [InlineData("""{"type": "object", "properties": {"city": {"type": "string"}}}""", "city")]
    [InlineData("""{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}""", "city")]
    public async Task Schema_of_an_answer_reaches_Anthropic(string schema, string member)
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");

        await AskAsync(
            $$$"""{"model": "m", "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {{{schema}}} } }, "messages": [{{{Question}}}]}"""
        );

        var format = Assert.Single(provider.Requests).Body["output_config"]!["format"]!;
        Assert.Equal("json_schema", (string?)format["type"]);
        Assert.Equal("string", (string?)format["schema"]!["properties"]![member]!["type"]);
        Assert.False((bool?)format["schema"]!["additionalProperties"]);
    }

    [Fact]
    public async Task Schema_that_Anthropic_does_not_have_is_refused()
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");

        var answer = await SendAsync(
            $$$"""{"model": "m", "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "array"} } }, "messages": [{{{Question}}}]}"""
        );

        Assert.Equal((400, "PGFN5113"), (answer.Status, (string?)JsonNode.Parse(answer.Body.Span)!["error"]!["code"]));
        Assert.Empty(provider.Requests);
    }

    private static ScriptedAnswer ThinkingStream() =>
        AnthropicAnswers.BlockStream(
            "tool_use",
            (
                new
                {
                    type = "thinking",
                    thinking = "",
                    signature = "",
                },
                [
                    new { type = "thinking_delta", thinking = "Let me " },
                    new { type = "thinking_delta", thinking = "see." },
                    new { type = "signature_delta", signature = "c2lnbmVk" },
                ]
            ),
            (Blocks[1], []),
            (
                new
                {
                    type = "thinking",
                    thinking = "",
                    signature = "",
                },
                [new { type = "signature_delta", signature = "b21pdHRlZA==" }]
            ),
            (
                new
                {
                    type = "tool_use",
                    id = "toolu_1",
                    name = "weather",
                    input = new { },
                },
                [
                    new { type = "input_json_delta", partial_json = "{\"ci" },
                    new { type = "input_json_delta", partial_json = "ty\": \"Zürich\"}" },
                ]
            )
        );

    /// <summary>The message of the answer; a stream's is put together as clients do.</summary>
    private async Task<JsonNode> AskAsync(string request)
    {
        var answer = await SendAsync(request);
        if (answer.Stream is not { } stream)
        {
            Assert.True(answer.Status == 200, Encoding.UTF8.GetString(answer.Body.Span));
            return JsonNode.Parse(answer.Body.Span)!["choices"]![0]!["message"]!.DeepClone();
        }
        await using var _ = stream;
        var text = new StringBuilder();
        while (await stream.ReadAsync() is { IsEmpty: false } events)
            text.Append(Encoding.UTF8.GetString(events.Span));
        var whole = new JsonObject { ["role"] = "assistant" };
        foreach (var line in text.ToString().Split("\n\n").Where(line => line.StartsWith("data: {", StringComparison.Ordinal)))
        {
            foreach (var (name, value) in JsonNode.Parse(line[6..])!["choices"]?[0]?["delta"]?.AsObject() ?? [])
                Append(whole, name, value!);
        }
        return whole;
    }

    private static void Append(JsonObject whole, string name, JsonNode piece)
    {
        if (name is "content" or "reasoning_content")
            whole[name] = (string?)whole[name] + (string?)piece;
        else if (name == "thinking_blocks")
        {
            foreach (var block in piece.AsArray())
                (whole[name] ??= new JsonArray()).AsArray().Add(block!.DeepClone());
        }
        else if (name == "tool_calls" && whole[name] is { } calls)
            calls[0]!["function"]!["arguments"] =
                (string?)calls[0]!["function"]!["arguments"] + (string?)piece[0]!["function"]!["arguments"];
        else
            whole[name] = piece.DeepClone();
    }

    private Task<OpenAiAnswer> SendAsync(string request) =>
        ai
            .Services.GetRequiredService<OpenAiServer>()
            .AnswerAsync(AiHarness.Ann, "POST", "/chat/completions", static _ => null, Encoding.UTF8.GetBytes(request), AiHarness.Token);

    private static string Json(bool value) => value ? "true" : "false";

    private static string Relaxed(JsonNode node) =>
        node.ToJsonString(new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>One block with its members by name.</summary>
    private static string Sorted(JsonNode blocks) =>
        Relaxed(
            new JsonArray([
                .. blocks
                    .AsArray()
                    .Select(static block => new JsonObject(
                        block!.AsObject().OrderBy(static m => m.Key).Select(static m => KeyValuePair.Create(m.Key, m.Value?.DeepClone()))
                    )),
            ])
        );
}
