using System.Net;
using System.Net.Sockets;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Ai.Providers;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>Passing failures are repeated, others lead to the next target of the route, and all of it is told.</summary>
public sealed class AttemptTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Theory]
    [InlineData("openai", 429, "retry-after-ms", "30")]
    [InlineData("openai", 503, "retry-after", "0")]
    [InlineData("openai", 500, "x-nothing", "1")]
    [InlineData("anthropic", 529, "retry-after", "0")]
    [InlineData("anthropic", 429, "retry-after", "0")]
    public async Task Passing_failures_are_repeated_at_the_same_provider(string kind, int status, string header, string value)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        provider.Enqueue(ScriptedAnswer.Failure(status, "wait", (header, value)), ScriptedAnswer.Failure(status, "wait", (header, value)));

        var answer = await ai.AskAsync("m");

        Assert.Equal("hello", answer.Value.Text);
        Assert.Equal(3, answer.Call.Attempts);
        Assert.Equal(3, provider.Requests.Count);
    }

    [Fact]
    public async Task A_provider_that_stays_busy_is_told_with_its_time_and_asked_no_more_than_the_retries_say()
    {
        var provider = await ai.AddProviderAsync("main");
        provider.Answer = static _ => ScriptedAnswer.Failure(429, "slow down", ("retry-after-ms", "20"));

        var failure = await FailureAsync("m", new AiCallOptions { Retries = 1 });

        Assert.Equal(("PGFN5110", 429), (failure.Code, failure.Status));
        Assert.Equal(TimeSpan.FromMilliseconds(20), failure.RetryAfter);
        Assert.Equal(2, provider.Requests.Count);
    }

    [Fact]
    public async Task A_provider_that_wants_a_long_pause_is_not_waited_for()
    {
        var busy = await ai.AddProviderAsync("busy");
        var free = await ai.AddProviderAsync("free", "anthropic");
        await RouteAsync("""[{"provider": "busy"}, {"provider": "free", "model": "other"}]""");
        busy.Answer = static _ => ScriptedAnswer.Failure(429, "tomorrow", ("retry-after", "86400"));

        var answer = await ai.AskAsync("m");

        Assert.Equal(("free", "other", 2), (answer.Call.Provider, answer.Call.Model, answer.Call.Attempts));
        Assert.Single(busy.Requests);
        Assert.Equal("other", (string?)Assert.Single(free.Requests).Body["model"]);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(500)]
    public async Task Streams_fall_back_before_they_begin(int status)
    {
        var broken = await ai.AddProviderAsync("broken", options: ", \"retries\": 0");
        var free = await ai.AddProviderAsync("free", "anthropic");
        await RouteAsync("""[{"provider": "broken"}, {"provider": "free"}]""");
        broken.Enqueue(ScriptedAnswer.Failure(status, "no"));
        free.Enqueue(AnthropicAnswers.Stream("a", "b"));

        await using var stream = await ai.StreamAsync("m");
        var texts = new List<string>();
        await foreach (var update in stream.WithCancellation(AiHarness.Token))
            texts.Add(update.Text);

        Assert.Equal("ab", string.Concat(texts));
        Assert.Equal(("free", 2), (stream.Call.Provider, stream.Call.Attempts));
    }

    [Fact]
    public async Task A_stream_that_reports_an_overload_before_any_content_falls_back()
    {
        var broken = await ai.AddProviderAsync("broken", "anthropic", ", \"retries\": 0");
        var free = await ai.AddProviderAsync("free");
        await RouteAsync("""[{"provider": "broken"}, {"provider": "free"}]""");
        broken.Enqueue(ScriptedAnswer.Events([AnthropicAnswers.Start(), AnthropicAnswers.Error("overloaded_error", "Overloaded")]));
        free.Enqueue(OpenAiAnswers.Stream("ok"));

        await using var stream = await ai.StreamAsync("m");

        Assert.Equal("free", stream.Call.Provider);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(422)]
    public async Task A_request_that_a_provider_refuses_is_asked_nowhere_else(int status)
    {
        var strict = await ai.AddProviderAsync("strict");
        var other = await ai.AddProviderAsync("other");
        await RouteAsync("""[{"provider": "strict"}, {"provider": "other"}]""");
        strict.Enqueue(ScriptedAnswer.Failure(status, "messages: too many"));

        var failure = await FailureAsync("m");

        Assert.Equal(("PGFN5109", 400), (failure.Code, failure.Status));
        Assert.Contains("messages: too many", failure.Message, StringComparison.Ordinal);
        Assert.Single(strict.Requests);
        Assert.Empty(other.Requests);
    }

    [Theory]
    [InlineData("openai", "this is no JSON")]
    [InlineData("openai", "{\"choices\": []}")]
    [InlineData("openai", "[]")]
    [InlineData("anthropic", "{\"content\": 7}")]
    [InlineData("anthropic", "this is no JSON")]
    public async Task An_answer_that_cannot_be_read_is_an_error_of_the_provider(string kind, string body)
    {
        var provider = await ai.AddProviderAsync("main", kind);
        provider.Enqueue(ScriptedAnswer.Raw(body));

        var failure = await FailureAsync("m");

        Assert.Equal(("PGFN5108", 502), (failure.Code, failure.Status));
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task An_address_where_nobody_listens_is_an_error_of_the_provider()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        await ai.Database.ExecuteAsync(
            $$"""select functions.set_ai_provider('gone', '{"base_url": "http://127.0.0.1:{{port}}/v1", "retries": 1}')"""
        );

        var failure = await FailureAsync("m");

        Assert.Equal(("PGFN5105", 502), (failure.Code, failure.Status));
    }

    [Fact]
    public async Task Redirects_are_not_followed()
    {
        var provider = await ai.AddProviderAsync("main");
        var elsewhere = await ai.AddProviderAsync("elsewhere");
        await RouteAsync("""[{"provider": "main"}]""");
        provider.Enqueue(ScriptedAnswer.Failure(307, "moved", ("location", elsewhere.Url)));

        var failure = await FailureAsync("m");

        Assert.Equal("PGFN5105", failure.Code);
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public async Task A_first_chunk_that_does_not_come_leads_to_the_next_target()
    {
        var slow = await ai.AddProviderAsync("slow", options: ", \"first_chunk_ms\": 100");
        var free = await ai.AddProviderAsync("free");
        await RouteAsync("""[{"provider": "slow"}, {"provider": "free"}]""");
        var never = new TaskCompletionSource();
        slow.Enqueue(OpenAiAnswers.Stream("late") with { Hold = (0, never.Task) });
        free.Enqueue(OpenAiAnswers.Stream("here"));

        await using var stream = await ai.StreamAsync("m");

        Assert.Equal(("free", 2), (stream.Call.Provider, stream.Call.Attempts));
    }

    [Fact]
    public async Task An_answer_that_takes_too_long_is_a_timeout()
    {
        var slow = await ai.AddProviderAsync("slow", options: ", \"timeout_ms\": 100");
        var never = new TaskCompletionSource();
        slow.Answer = _ => OpenAiAnswers.Chat("late") with { Hold = (0, never.Task) };

        var byProvider = await FailureAsync("m");
        await ai.Database.ExecuteAsync($$"""select functions.set_ai_provider('slow', '{"base_url": "{{slow.Url}}/v1"}')""");
        await Testing.Eventually.HoldsAsync(async () =>
            (await FailureAsync("m", new AiCallOptions { Timeout = TimeSpan.FromMilliseconds(100) })).Message.StartsWith(
                "The call took",
                StringComparison.Ordinal
            )
        );

        Assert.Equal(("PGFN5106", 504), (byProvider.Code, byProvider.Status));
    }

    [Fact]
    public async Task A_provider_that_breaks_repeatedly_is_not_asked_for_a_while()
    {
        var broken = await ai.AddProviderAsync("broken", options: ", \"retries\": 0");
        broken.Answer = static _ => ScriptedAnswer.Failure(500, "broken");

        for (var i = 0; i < AiBreaker.MinimumThroughput; i++)
            Assert.Equal("PGFN5105", (await FailureAsync("m")).Code);
        var paused = await FailureAsync("m");

        Assert.Equal(("PGFN5111", 503), (paused.Code, paused.Status));
        Assert.NotNull(paused.RetryAfter);
        Assert.Equal(AiBreaker.MinimumThroughput, broken.Requests.Count);
    }

    [Fact]
    public async Task A_busy_provider_is_not_taken_for_a_broken_one()
    {
        var busy = await ai.AddProviderAsync("busy", options: ", \"retries\": 0");
        busy.Answer = static _ => ScriptedAnswer.Failure(429, "busy");

        for (var i = 0; i < AiBreaker.MinimumThroughput + 2; i++)
            Assert.Equal("PGFN5110", (await FailureAsync("m")).Code);
    }

    private Task RouteAsync(string targets) =>
        ai.Database.ExecuteAsync($$"""select functions.set_ai_route('m', '{"targets": {{targets}}}')""");

    private Task<SidecarException> FailureAsync(string model, AiCallOptions? call = null) =>
        Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync(model, call: call));
}
