using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>A provider that sends without end costs a bounded amount of memory, and its caller learns why there is no answer.</summary>
public sealed class AnswerLimitTests : IAsyncLifetime
{
    private static readonly byte[] Mebibyte = [.. Enumerable.Repeat((byte)' ', 1 << 20)];

    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Theory]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task Whole_answer_without_an_end_is_broken_off_and_not_asked_for_again(string kind)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        provider.Answer = static _ => Endless("{");

        var failure = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("m"));

        Assert.Equal(("PGFN5115", 502), (failure.Code, failure.Status));
        Assert.Equal("The provider 'main' sent more than 16 MiB as an answer, and the rest was not read.", failure.Message);
        Assert.Single(provider.Requests);
    }

    [Theory]
    [InlineData("openai", 0)]
    [InlineData("openai", 1)]
    [InlineData("anthropic", 0)]
    [InlineData("anthropic", 3)]
    public async Task Event_of_a_stream_without_an_end_is_broken_off(string kind, int before)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        var whole = kind == "openai" ? OpenAiAnswers.Stream("one") : AnthropicAnswers.Stream("one");
        var begun = kind == "openai" ? whole.Pieces.Take(before) : whole.Pieces.Take(before == 0 ? 0 : 4);
        provider.Answer = _ => whole with { Pieces = [.. begun, .. Endless("data: ").Pieces] };

        var failure = await Assert.ThrowsAsync<SidecarException>(async () =>
        {
            await using var stream = await ai.StreamAsync("m");
            await foreach (var update in stream.WithCancellation(AiHarness.Token)) { }
        });

        Assert.Equal("PGFN5115", failure.Code);
        Assert.Contains("4 MiB as one event of a stream", failure.Message);
        Assert.Single(provider.Requests);
    }

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Stream_without_an_end_is_broken_off()
    {
        var provider = await ai.AddProviderAsync("main");
        var chunk = Encoding.UTF8.GetBytes(OpenAiAnswers.Chunk(new { content = new string('x', 1 << 20) }));
        provider.Answer = _ => OpenAiAnswers.Stream("a") with { Pieces = [.. Enumerable.Repeat(chunk, 1000)] };

        long read = 0;
        var failure = await Assert.ThrowsAsync<SidecarException>(async () =>
        {
            await using var stream = await ai.StreamAsync("m", new AiCallOptions { CacheTtl = TimeSpan.FromMinutes(1) });
            await foreach (var update in stream.WithCancellation(AiHarness.Token))
                read += update.Text.Length;
        });

        Assert.Equal("PGFN5115", failure.Code);
        Assert.InRange(read, 32 << 20, 64 << 20);
    }

    [Fact]
    public async Task Events_may_end_in_any_way_and_be_many()
    {
        var provider = await ai.AddProviderAsync("main");
        var text = new string('x', 1 << 20);
        string[] ends = ["\n\n", "\r\n\r\n", "\r\r"];
        var pieces = Enumerable
            .Range(0, 6)
            .Select(i => OpenAiAnswers.Chunk(new { content = text }).TrimEnd('\n') + ends[i % 3])
            .Append(OpenAiAnswers.Chunk(new { }, "stop"))
            .Append(OpenAiAnswers.Done);
        provider.Enqueue(ScriptedAnswer.Events(pieces).SplitEvery(65_521));

        await using var stream = await ai.StreamAsync("m");
        long read = 0;
        await foreach (var update in stream.WithCancellation(AiHarness.Token))
            read += update.Text.Length;

        Assert.Equal(6L << 20, read);
    }

    [Fact]
    public async Task Endless_updates_without_contents_are_not_collected()
    {
        var provider = await ai.AddProviderAsync("main");
        var empty = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(OpenAiAnswers.Chunk(new { }), 1000)));
        provider.Answer = _ => OpenAiAnswers.Stream("a") with { Pieces = [.. Enumerable.Repeat(empty, 1000)] };

        var failure = await Assert.ThrowsAsync<SidecarException>(() => ai.StreamAsync("m"));

        Assert.Equal("PGFN5108", failure.Code);
    }

    [Theory]
    [InlineData("embeddings", "64 MiB")]
    [InlineData("rerank", "16 MiB")]
    public async Task Vectors_and_rankings_have_a_limit_as_well(string operation, string limit)
    {
        var provider = await ai.AddProviderAsync("main");
        provider.Answer = static _ => Endless("{");

        var failure = await Assert.ThrowsAsync<SidecarException>(() =>
            operation == "embeddings"
                ? ai.Gateway.EmbedAsync(AiHarness.Ann, "m", ["a"], new(), AiCallOptions.Default, AiHarness.Token)
                : (Task)
                    ai.Gateway.RankAsync(AiHarness.Ann, "m", new AiRankingRequest("q", ["a"], null), AiCallOptions.Default, AiHarness.Token)
        );

        Assert.Equal("PGFN5115", failure.Code);
        Assert.Contains(limit, failure.Message);
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task Next_target_is_asked_instead_of_one_that_sends_too_much()
    {
        var endless = await ai.AddProviderAsync("endless");
        await ai.AddProviderAsync("right");
        await ai.Database.ExecuteAsync(
            """select functions.set_ai_route('m', '{"targets": [{"provider": "endless"}, {"provider": "right"}]}')"""
        );
        endless.Answer = static _ => Endless("{");

        var answer = await ai.AskAsync("m");

        Assert.Equal(("right", "hello"), (answer.Call.Provider, answer.Value.Text));
    }

    /// <summary>A gibibyte of an answer that never ends.</summary>
    private static ScriptedAnswer Endless(string start) =>
        new() { Pieces = [Encoding.UTF8.GetBytes(start), .. Enumerable.Repeat(Mebibyte, 1024)] };
}
