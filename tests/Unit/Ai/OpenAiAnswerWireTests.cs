using System.Text;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Core.Ai.Wire;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Tests.Unit.Ai;

/// <summary>Writing answers in OpenAI's form, whole and streamed.</summary>
public sealed class OpenAiAnswerWireTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);

    [Fact]
    public void An_answer_has_every_member_that_clients_read()
    {
        var response = new ChatResponse(new ChatMessage(ChatRole.Assistant, "grüß \"dich\""))
        {
            ResponseId = "r1",
            ModelId = "real",
            FinishReason = ChatFinishReason.Length,
            Usage = new UsageDetails
            {
                InputTokenCount = 3,
                OutputTokenCount = 4,
                CachedInputTokenCount = 2,
                ReasoningTokenCount = 1,
            },
        };
        Assert.Equal(
            """
            {"id":"r1","object":"chat.completion","created":1800000000,"model":"real","choices":[{"index":0,"message":{"role":"assistant","content":"grüß \"dich\"","refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}}
            """.Trim(),
            Encoding.UTF8.GetString(OpenAiAnswerWire.Write(response, "asked", Now).Span)
        );
    }

    [Fact]
    public void Calls_of_tools_end_with_tool_calls_whatever_the_server_says()
    {
        var call = new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["a"] = 1, ["b"] = "x" });
        var response = new ChatResponse(new ChatMessage(ChatRole.Assistant, [call])) { FinishReason = ChatFinishReason.Stop };
        var choice = JsonNode.Parse(OpenAiAnswerWire.Write(response, "m", Now).Span)!["choices"]![0]!;
        Assert.Equal("tool_calls", (string)choice["finish_reason"]!);
        Assert.Null(choice["message"]!["content"]);
        Assert.Equal(
            """[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1,\"b\":\"x\"}"}}]""",
            choice["message"]!["tool_calls"]!.ToJsonString(
                new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
            )
        );
    }

    [Fact]
    public void A_refusal_and_a_reasoning_have_members_of_their_own()
    {
        var response = new ChatResponse(
            new ChatMessage(ChatRole.Assistant, [new TextReasoningContent("hm"), new ErrorContent("no") { ErrorCode = "Refusal" }])
        );
        var message = JsonNode.Parse(OpenAiAnswerWire.Write(response, "m", Now).Span)!["choices"]![0]!["message"]!;
        Assert.Equal(("no", "hm"), ((string)message["refusal"]!, (string)message["reasoning_content"]!));
        Assert.Null(message["content"]);
    }

    [Fact]
    public async Task A_stream_begins_with_the_role_and_ends_with_the_usage_and_DONE()
    {
        var events = await StreamAsync(
            includesUsage: true,
            new ChatResponseUpdate(ChatRole.Assistant, "Hel") { ResponseId = "r1", ModelId = "real" },
            new ChatResponseUpdate(ChatRole.Assistant, "lo"),
            new ChatResponseUpdate
            {
                FinishReason = ChatFinishReason.Stop,
                Contents = [new UsageContent(new UsageDetails { InputTokenCount = 3 })],
            },
            new ChatResponseUpdate { Contents = [new UsageContent(new UsageDetails { OutputTokenCount = 2 })] }
        );
        Assert.Equal("[DONE]", events[^1]);
        var chunks = events[..^1].Select(text => JsonNode.Parse(text)!).ToList();
        Assert.All(chunks, chunk => Assert.Equal(("r1", "real"), ((string)chunk["id"]!, (string)chunk["model"]!)));
        Assert.Equal("assistant", (string)chunks[0]["choices"]![0]!["delta"]!["role"]!);
        Assert.Equal("Hello", string.Concat(chunks[1..3].Select(chunk => (string)chunk["choices"]![0]!["delta"]!["content"]!)));
        Assert.Equal("stop", (string)chunks[3]["choices"]![0]!["finish_reason"]!);
        Assert.Empty(chunks[4]["choices"]!.AsArray());
        Assert.Equal((3, 2), ((int)chunks[4]["usage"]!["prompt_tokens"]!, (int)chunks[4]["usage"]!["completion_tokens"]!));
        Assert.All(chunks[..^1], chunk => Assert.True(chunk.AsObject().ContainsKey("usage") && chunk["usage"] is null));
    }

    [Fact]
    public async Task Long_arguments_arrive_in_pieces_after_id_and_name_and_no_character_is_split()
    {
        var long1 = string.Concat(Enumerable.Repeat("😀", 5000));
        var events = await StreamAsync(
            includesUsage: false,
            new ChatResponseUpdate(
                ChatRole.Assistant,
                [
                    new FunctionCallContent("c1", "f", new Dictionary<string, object?> { ["t"] = long1 }),
                    new FunctionCallContent("c2", "g", null),
                ]
            )
        );
        var calls = events[..^1]
            .Select(text => JsonNode.Parse(text)!["choices"]![0]!["delta"]!["tool_calls"]?[0])
            .OfType<JsonNode>()
            .ToLookup(call => (int)call["index"]!);
        Assert.Equal(("c1", "f"), ((string)calls[0].First()["id"]!, (string)calls[0].First()["function"]!["name"]!));
        Assert.True(calls[0].Count() > 3);
        Assert.All(calls[0].Skip(1), call => Assert.Null(call["id"]));
        var whole = string.Concat(calls[0].Select(call => (string)call["function"]!["arguments"]!));
        Assert.Equal(long1, (string)JsonNode.Parse(whole)!["t"]!);
        Assert.Equal("{}", string.Concat(calls[1].Select(call => (string)call["function"]!["arguments"]!)));
        Assert.Contains("\"finish_reason\":\"tool_calls\"", events[^2], StringComparison.Ordinal);
        Assert.DoesNotContain("usage", string.Concat(events), StringComparison.Ordinal);
    }

    [Fact]
    public void Embeddings_are_numbers_or_base64_with_the_lowest_byte_first()
    {
        var vectors = new GeneratedEmbeddings<Embedding<float>>([new(new float[] { 0.5f, -1 }), new(new float[] { 2, 3 })]);
        var request = new EmbeddingRequest("m", ["a", "b"], new EmbeddingGenerationOptions(), IsBase64: false);
        var numbers = JsonNode.Parse(OpenAiEmbeddingWire.Write(vectors, request).Span)!;
        Assert.Equal("[0.5,-1]", numbers["data"]![0]!["embedding"]!.ToJsonString());
        Assert.Equal(1, (int)numbers["data"]![1]!["index"]!);
        var texts = JsonNode.Parse(OpenAiEmbeddingWire.Write(vectors, request with { IsBase64 = true }).Span)!;
        Assert.Equal("AAAAPwAAgL8=", (string)texts["data"]![0]!["embedding"]!);
    }

    private static async Task<List<string>> StreamAsync(bool includesUsage, params ChatResponseUpdate[] updates)
    {
        var request = new ChatRequest("m", [], new ChatOptions()) { IncludesUsage = includesUsage };
        var text = new StringBuilder();
        await foreach (var events in OpenAiStreamWire.WriteAsync(updates.ToAsyncEnumerable(), request, Now, CancellationToken.None))
            text.Append(Encoding.UTF8.GetString(events.Span));
        return
        [
            .. text.ToString()
                .Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
                .Select(line => line.StartsWith("data: ", StringComparison.Ordinal) ? line[6..] : throw new FormatException(line)),
        ];
    }
}
