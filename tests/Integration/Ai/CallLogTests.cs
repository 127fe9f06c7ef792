using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Core.Metrics;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;
using Microsoft.Extensions.DependencyInjection;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>Every call has one row in <c>functions.ai_calls</c>, and counts in the metrics.</summary>
public sealed class CallLogTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Fact]
    public async Task A_call_is_logged_with_its_figures()
    {
        var provider = await ai.AddProviderAsync("main", "anthropic");
        provider.Enqueue(
            ScriptedAnswer.Failure(529, "busy", ("retry-after", "0")),
            AnthropicAnswers.Chat("hello", inputTokens: 6, outputTokens: 5, cachedTokens: 4)
        );
        await ai.Database.ExecuteAsync(
            "select functions.set_ai_route('alias', '{\"targets\": [{\"provider\": \"main\", \"model\": \"real\"}]}'), functions.set_ai_price('real', 1000, 2000, 100)"
        );

        await ai.AskAsync("alias", call: new AiCallOptions { Metadata = new Dictionary<string, string> { ["team"] = "blue\0" } });

        Assert.Equal(
            $$"""chat|f|authenticated|ann|alias|main|real|f|f|10|5|4|f|0.0164|stop|2|{"team": "blue�"}|{{AiHarness.Ann.InvocationId}}""",
            await RowAsync(
                "concat_ws('|', operation, function, role, user_id, model, provider, provider_model, streamed, cached, input_tokens, output_tokens, cached_tokens, estimated, trim_scale(cost), finish_reason, attempts, metadata, invocation_id)"
            )
        );
        Assert.Equal("true", await RowAsync("(duration_ms > 0 and first_chunk_ms is null and request is null and response is null)::text"));
    }

    [Fact]
    public async Task Failures_streams_and_cached_answers_are_logged_too()
    {
        var provider = await ai.AddProviderAsync("main", options: ", \"retries\": 0");
        provider.Enqueue(ScriptedAnswer.Failure(500, "broken"));
        await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("failing"));
        await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync(new string('x', 300)));
        provider.Enqueue(OpenAiAnswers.Stream("a"));
        await using (var stream = await ai.StreamAsync("streamed"))
        {
            await foreach (var _ in stream) { }
        }
        provider.Enqueue(OpenAiAnswers.Stream("a"));
        await (await ai.StreamAsync("left")).DisposeAsync();
        var cached = new AiCallOptions { CacheTtl = TimeSpan.FromMinutes(1) };
        await ai.AskAsync("cached", call: cached);
        await ai.AskAsync("cached", call: cached);

        await WaitForAsync(6);
        Assert.Equal(
            "cached::f:0 cached::t:0 failing:PGFN5105:f:0 left:CANCELLED:f:1 streamed::f:1 xxx:PGFN5101:f:0",
            await ai.Database.ScalarAsync<string>(
                """
                select string_agg(concat_ws(':', case when model like 'xxx%' then 'xxx' else model end, coalesce(error_code, ''), cached,
                    num_nonnulls(first_chunk_ms)), ' ' order by model, started_at) from functions.ai_calls
                """
            )
        );
    }

    [Fact]
    public async Task Contents_are_stored_only_where_the_provider_says_so_and_without_secrets()
    {
        var quiet = await ai.AddProviderAsync("quiet");
        var open = await ai.AddProviderAsync("open", options: ", \"log_contents\": true");
        var caller = AiHarness.Ann with
        {
            Redactor = Redactor.Create([new KeyValuePair<string, string>("TOKEN", "the-functions-secret")], []),
        };
        open.Answer = static _ => OpenAiAnswers.Chat("it is sk-open-0123456789");

        await ai.AskAsync("quiet/m", "a question", caller: caller);
        await ai.AskAsync("open/m", "my token is the-functions-secret", caller: caller);

        await WaitForAsync(2);
        Assert.Equal(
            "open|user: my token is [redacted:TOKEN]|it is [redacted:api_key]\nquiet|-|-",
            await ai.Database.ScalarAsync<string>(
                "select string_agg(concat_ws('|', provider, coalesce(request, '-'), coalesce(response, '-')), e'\\n' order by provider) from functions.ai_calls"
            )
        );
        Assert.Single(quiet.Requests);
    }

    [Fact]
    public async Task Metrics_count_calls_tokens_and_times()
    {
        var provider = await ai.AddProviderAsync("main");
        var report = ai.Services.GetRequiredService<MetricsReport>();
        provider.Enqueue(ScriptedAnswer.Failure(503, "x", ("retry-after", "0")), OpenAiAnswers.Chat("hello"));

        await ai.AskAsync("m");
        provider.Enqueue(OpenAiAnswers.Stream("a"));
        await using (var stream = await ai.StreamAsync("m"))
        {
            await foreach (var _ in stream) { }
        }

        var text = report.Write();
        Assert.Contains("functions_ai_calls_total{provider=\"main\",status=\"ok\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("functions_ai_repeated_requests_total 1\n", text, StringComparison.Ordinal);
        Assert.Contains("functions_ai_tokens_sum{provider=\"main\",type=\"input\"} 20\n", text, StringComparison.Ordinal);
        Assert.Contains("functions_ai_tokens_sum{provider=\"main\",type=\"output\"} 10\n", text, StringComparison.Ordinal);
        Assert.Contains("functions_ai_duration_seconds_count{provider=\"main\",operation=\"chat\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("functions_ai_first_chunk_seconds_count{provider=\"main\"} 1\n", text, StringComparison.Ordinal);
    }

    private Task WaitForAsync(long count) =>
        Eventually.HoldsAsync(async () => await ai.Database.ScalarAsync<long>("select count(*) from functions.ai_calls") == count);

    private async Task<string> RowAsync(string expression)
    {
        await WaitForAsync(1);
        return await ai.Database.ScalarAsync<string>($"select {expression} from functions.ai_calls");
    }
}
