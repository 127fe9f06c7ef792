using Functions.PgSidecar.Testing.Ai;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>Answers of both wire formats arrive as the same types.</summary>
public sealed class AnswerTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task A_single_provider_answers_for_any_model_without_a_route(string kind)
    {
        var provider = await ai.AddProviderAsync("main", kind);

        var answer = await ai.AskAsync("some-model", "What?");

        Assert.Equal("hello", answer.Value.Text);
        Assert.Equal(ChatFinishReason.Stop, answer.Value.FinishReason);
        Assert.Equal(("main", "some-model", 1), (answer.Call.Provider, answer.Call.Model, answer.Call.Attempts));
        Assert.Equal((10, 5), (answer.Call.Usage!.InputTokenCount, answer.Call.Usage.OutputTokenCount));
        var request = Assert.Single(provider.Requests);
        Assert.Equal("some-model", (string?)request.Body["model"]);
        Assert.Equal(kind == "openai" ? "/v1/chat/completions" : "/v1/messages", request.Path);
        var credentials = kind == "openai" ? request.Headers["authorization"] : request.Headers["x-api-key"];
        Assert.Equal(kind == "openai" ? "Bearer sk-main-0123456789" : "sk-main-0123456789", credentials);
        Assert.DoesNotContain(request.Headers, header => header.Value.Contains("unused", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task Streams_arrive_whole_however_their_bytes_are_split(string kind)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        string[] texts = ["Grüße ", "🐘🐘", " – ", "日本語"];
        provider.Enqueue((kind == "openai" ? OpenAiAnswers.Stream(texts) : AnthropicAnswers.Stream(texts)).SplitEvery(3));

        await using var stream = await ai.StreamAsync("m");
        var response = await stream.ToChatResponseAsync(AiHarness.Token);

        Assert.Equal("Grüße 🐘🐘 – 日本語", response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal((10, 5), (stream.Call.Usage!.InputTokenCount, stream.Call.Usage.OutputTokenCount));
    }

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task Arguments_of_tools_are_put_together_from_their_pieces(string kind)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        string[] pieces = ["{\"ci", "ty\": \"Zür", "ich\", \"days\"", ": 3}"];
        provider.Enqueue(
            (kind == "openai" ? OpenAiAnswers.ToolStream("weather", pieces) : AnthropicAnswers.ToolStream("weather", pieces)).SplitEvery(5)
        );

        await using var stream = await ai.StreamAsync("m");
        var response = await stream.ToChatResponseAsync(AiHarness.Token);

        var call = Assert.Single(response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>());
        Assert.Equal("weather", call.Name);
        Assert.Equal("Zürich", call.Arguments!["city"]!.ToString());
        Assert.Equal("3", call.Arguments["days"]!.ToString());
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
    }

    [Fact]
    public async Task Embeddings_are_made_in_the_order_of_the_inputs()
    {
        var provider = await ai.AddProviderAsync("main");
        provider.Enqueue(OpenAiAnswers.Embeddings("a", "four"));

        var answer = await ai.Gateway.EmbedAsync(AiHarness.Ann, "e", ["a", "four"], new(), Core.Ai.AiCallOptions.Default, AiHarness.Token);

        Assert.Equal(
            [
                [1f, 0f],
                [4f, 1f],
            ],
            answer.Value.Select(embedding => embedding.Vector.ToArray())
        );
        Assert.Equal(7, answer.Call.Usage!.InputTokenCount);
        Assert.Equal("/v1/embeddings", Assert.Single(provider.Requests).Path);
    }
}
