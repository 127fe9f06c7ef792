using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>A stream that has begun is never repeated: it ends with an error that says so.</summary>
public sealed class BrokenStreamTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Theory]
    [InlineData("openai", true)]
    [InlineData("openai", false)]
    [InlineData("anthropic", true)]
    [InlineData("anthropic", false)]
    public async Task A_stream_that_is_cut_ends_with_an_error(string kind, bool isReset)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        var whole = kind == "openai" ? OpenAiAnswers.Stream("one", "two", "three") : AnthropicAnswers.Stream("one", "two", "three");
        var pieces = whole.Pieces.Take(kind == "openai" ? 2 : 5).ToArray();
        // A reset discards what the client has not read yet.
        var read = new TaskCompletionSource();
        provider.Enqueue(whole with { Pieces = pieces, Hold = (pieces.Length, read.Task), IsCut = isReset });

        await using var stream = await ai.StreamAsync("m");
        var (text, failure) = await ReadAsync(stream, text => text == "onetwo" && read.TrySetResult());

        Assert.Equal("onetwo", text);
        Assert.Equal(("PGFN5107", 502), (failure!.Code, failure.Status));
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task An_error_in_the_middle_of_a_stream_ends_it_with_an_error()
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");
        provider.Enqueue(
            ScriptedAnswer.Events([
                AnthropicAnswers.Start(),
                AnthropicAnswers.Delta(new { type = "text_delta", text = "one" }),
                AnthropicAnswers.Error("overloaded_error", "Overloaded"),
            ])
        );

        await using var stream = await ai.StreamAsync("m");
        var (text, failure) = await ReadAsync(stream);

        Assert.Equal("one", text);
        Assert.Equal("PGFN5107", failure!.Code);
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task A_stream_that_stops_in_the_middle_ends_at_the_time_of_the_call()
    {
        var provider = await ai.AddProviderAsync("main");
        var never = new TaskCompletionSource();
        provider.Enqueue(OpenAiAnswers.Stream("one", "two") with { Hold = (1, never.Task) });

        await using var stream = await ai.StreamAsync("m", new AiCallOptions { Timeout = TimeSpan.FromSeconds(2) });
        var (text, failure) = await ReadAsync(stream);

        Assert.Equal("one", text);
        Assert.Equal(("PGFN5106", 504), (failure!.Code, failure.Status));
    }

    [Fact]
    public async Task Disposing_a_stream_ends_the_request_to_the_provider()
    {
        var provider = await ai.AddProviderAsync("main");
        var never = new TaskCompletionSource();
        provider.Enqueue(OpenAiAnswers.Stream("one", "two") with { Hold = (1, never.Task) });

        var stream = await ai.StreamAsync("m");
        await stream.DisposeAsync();

        await Eventually.HoldsAsync(() => Task.FromResult(provider.AbortedCount == 1));
    }

    private static async Task<(string Text, SidecarException? Failure)> ReadAsync(AiStream stream, Func<string, bool>? seen = null)
    {
        var text = "";
        try
        {
            await foreach (var update in stream.WithCancellation(AiHarness.Token))
            {
                text += update.Text;
                seen?.Invoke(text);
            }
            return (text, null);
        }
        catch (SidecarException e)
        {
            return (text, e);
        }
    }
}
