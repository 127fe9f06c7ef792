using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai.Wire;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Tests.Unit.Ai;

/// <summary>The form of Workers AI: inputs, answers, streams and options of the gateway.</summary>
public sealed class WorkersAiWireTests
{
    [Fact]
    public void A_prompt_is_a_message_of_the_user()
    {
        var request = Read("""{"prompt": "hi", "max_tokens": 5, "top_k": 3, "raw": false, "stream": true}""");
        Assert.Equal((ChatRole.User, "hi"), (request.Messages[0].Role, request.Messages[0].Text));
        Assert.Equal((5, 3, true), (request.Options.MaxOutputTokens, request.Options.TopK, request.IsStreamed));
        Assert.Equal("""{"top_k":3}""", Encoding.UTF8.GetString(request.Extras.Span));
    }

    [Fact]
    public void Older_tools_and_calls_without_ids_are_understood()
    {
        var request = Read(
            """
            {"messages": [{"role": "user", "content": "add"},
              {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]},
              {"role": "tool", "name": "g", "content": "two"}, {"role": "tool", "content": "one"}],
             "tools": [{"name": "f", "description": "d", "parameters": {"type": "object"}}]}
            """
        );
        Assert.Equal("f", Assert.Single(request.Options.Tools!).Name);
        var calls = request.Messages[1].Contents.OfType<FunctionCallContent>().ToList();
        var results = request.Messages[2].Contents.Cast<FunctionResultContent>().ToList();
        Assert.Equal(
            [(calls[1].CallId, "two"), (calls[0].CallId, "one")],
            results.Select(result => (result.CallId, (string)result.Result!))
        );
    }

    [Theory]
    [InlineData("""{"type": "object", "properties": {"a": {}}}""", "properties")]
    [InlineData("""{"name": "n", "schema": {"type": "object", "properties": {}}}""", "properties")]
    public void A_schema_is_given_in_either_form(string schema, string member)
    {
        var request = Read("""{"prompt": "p", "response_format": {"type": "json_schema", "json_schema": """ + schema + "}}");
        var format = Assert.IsType<ChatResponseFormatJson>(request.Options.ResponseFormat);
        Assert.True(format.Schema!.Value.TryGetProperty(member, out _));
    }

    [Theory]
    [InlineData("""{"prompt": "p", "lora": "x"}""", "inputs.lora")]
    [InlineData("""{"prompt": "p", "raw": true}""", "inputs.raw")]
    [InlineData("""{"prompt": "p", "functions": []}""", "inputs.functions")]
    [InlineData("""{"requests": []}""", "inputs.requests")]
    [InlineData("""{"request_id": "x"}""", "inputs.requests")]
    [InlineData("""{"text": "t", "target_lang": "de"}""", "inputs")]
    [InlineData("""{"image": [1]}""", "inputs")]
    [InlineData("""{"text": "t", "pooling": "cls"}""", "inputs.pooling")]
    [InlineData("""{"text": [1, 2]}""", "text")]
    public void What_no_provider_has_is_refused_by_its_name(string inputs, string parameter)
    {
        var error = Assert.Throws<SidecarException>(() => ReadAny(inputs));
        Assert.Equal(("PGFN5152", parameter), (error.Code, error.Data[AiWireErrors.Parameter]));
    }

    [Fact]
    public void An_answer_has_calls_in_the_older_and_the_newer_form()
    {
        var call = new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["a"] = 1 });
        var response = new ChatResponse(new ChatMessage(ChatRole.Assistant, [call]));
        Assert.Equal(
            """{"response":null,"tool_calls":[{"name":"f","arguments":{"a":1},"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"usage":null}""",
            Encoding.UTF8.GetString(WorkersAiAnswerWire.Write(response, Read("""{"prompt": "p"}""")).Span)
        );
    }

    [Fact]
    public void With_a_format_of_JSON_the_response_is_the_value()
    {
        var request = Read("""{"prompt": "p", "response_format": {"type": "json_object"}}""");
        var answer = JsonNode.Parse(WorkersAiAnswerWire.Write(Answer(" {\"a\": [1]} "), request).Span)!;
        Assert.Equal(1, (int)answer["response"]!["a"]![0]!);
        var error = Assert.Throws<SidecarException>(() => WorkersAiAnswerWire.Write(Answer("{\"a\": ["), request));
        Assert.Equal(("PGFN5156", 502), (error.Code, error.Status));
    }

    [Fact]
    public async Task A_stream_is_events_of_texts_then_the_usage_then_DONE()
    {
        ChatResponseUpdate[] updates =
        [
            new(ChatRole.Assistant, "a"),
            new(ChatRole.Assistant, ""),
            new(ChatRole.Assistant, "b"),
            new() { Contents = [new UsageContent(new UsageDetails { InputTokenCount = 1, OutputTokenCount = 2 })] },
        ];
        var text = new StringBuilder();
        await foreach (var events in WorkersAiAnswerWire.WriteAsync(updates.ToAsyncEnumerable(), CancellationToken.None))
            text.Append(Encoding.UTF8.GetString(events.Span));
        Assert.Equal(
            "data: {\"response\":\"a\"}\n\ndata: {\"response\":\"b\"}\n\n"
                + "data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\ndata: [DONE]\n\n",
            text.ToString()
        );
    }

    [Fact]
    public void Options_of_the_gateway_and_headers_say_the_same()
    {
        using var options = JsonDocument.Parse(
            """
            {"tags": ["a", "b"], "websocket": false, "gateway": {"id": "default", "skipCache": true, "cacheTtl": 60, "cacheKey": "k",
              "requestTimeoutMs": 500, "retries": {"maxAttempts": 3}, "metadata": {"team": "x", "n": 1}}}
            """
        );
        var call = CallOptionsWire.Read(options.RootElement);
        Assert.Equal(
            (true, TimeSpan.FromMinutes(1), "k", TimeSpan.FromMilliseconds(500), 2),
            (call.SkipCache, call.CacheTtl, call.CacheKey, call.Timeout, call.Retries)
        );
        Assert.Equal(
            [("n", "1"), ("tags", "a,b"), ("team", "x")],
            call.Metadata!.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => (pair.Key, pair.Value))
        );
        var headers = new Dictionary<string, string>
        {
            ["cf-aig-skip-cache"] = "true",
            ["cf-aig-cache-ttl"] = "60",
            ["cf-aig-cache-key"] = "k",
            ["cf-aig-request-timeout"] = "500",
            ["cf-aig-max-attempts"] = "3",
            ["cf-aig-metadata"] = """{"team":"x"}""",
        };
        var same = CallOptionsWire.Read(headers.GetValueOrDefault);
        Assert.Equal(call with { Metadata = null }, same with { Metadata = null });
        Assert.Equal("x", same.Metadata!["team"]);
    }

    [Theory]
    [InlineData("""{"websocket": true}""", "options.websocket")]
    [InlineData("""{"queueRequest": true}""", "options.queueRequest")]
    [InlineData("""{"extraHeaders": {}}""", "options.extraHeaders")]
    [InlineData("""{"gateway": {"eventId": "x"}}""", "options.gateway.eventId")]
    [InlineData("""{"gateway": {"cacheTtl": -1}}""", "options.gateway.cacheTtl")]
    [InlineData("""{"gateway": {"retries": {"maxAttempts": 100}}}""", "options.gateway.retries.maxAttempts")]
    [InlineData("""{"tags": ["1", "2", "3", "4", "5", "6"]}""", "options.tags")]
    public void An_option_that_is_not_given_is_refused_by_its_name(string json, string parameter)
    {
        using var options = JsonDocument.Parse(json);
        var error = Assert.Throws<SidecarException>(() => CallOptionsWire.Read(options.RootElement));
        Assert.Equal(parameter, error.Data[AiWireErrors.Parameter]);
    }

    private static ChatResponse Answer(string text) => new(new ChatMessage(ChatRole.Assistant, text));

    private static ChatRequest Read(string inputs)
    {
        using var document = JsonDocument.Parse(inputs);
        Assert.False(WorkersAiRequestWire.AreForEmbeddings(document.RootElement));
        return WorkersAiRequestWire.ReadChat("m", document.RootElement);
    }

    private static object ReadAny(string inputs)
    {
        using var document = JsonDocument.Parse(inputs);
        return WorkersAiRequestWire.AreForEmbeddings(document.RootElement)
            ? WorkersAiRequestWire.ReadEmbeddings("m", document.RootElement)
            : WorkersAiRequestWire.ReadChat("m", document.RootElement);
    }
}
