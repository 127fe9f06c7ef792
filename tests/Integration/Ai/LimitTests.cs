using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>Limits are counted in the database for all sidecars, whatever a caller does to evade them.</summary>
public sealed class LimitTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync()
    {
        ai = await AiHarness.StartAsync();
        await ai.Database.ExecuteAsync("select functions.deploy('f', 'export function handler() {}')");
    }

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Fact]
    public async Task Two_sidecars_share_a_limit_of_requests()
    {
        var provider = await ai.AddProviderAsync("main");
        await LimitAsync("""{"requests_per_day": 8}""");
        var other = await ai.AddSidecarAsync();

        var calls = Enumerable
            .Range(0, 20)
            .Select(async i =>
            {
                try
                {
                    await ai.AskAsync("m", gateway: i % 2 == 0 ? ai.Gateway : other);
                    return "";
                }
                catch (SidecarException e)
                {
                    return e.Code;
                }
            });
        var results = await Task.WhenAll(calls);

        Assert.Equal(8, results.Count(code => code.Length == 0));
        Assert.Equal(12, results.Count(code => code == "PGFN5103"));
        Assert.Equal(8, provider.Requests.Count);
    }

    [Fact]
    public async Task A_limit_that_is_reached_says_which_and_when_it_ends()
    {
        await ai.AddProviderAsync("main");
        await LimitAsync("""{"function": "f", "tokens_per_day": 15}""");

        await ai.AskAsync("m");
        var failure = await FailureAsync(AiHarness.Ann);

        Assert.Equal(("PGFN5103", 429), (failure.Code, failure.Status));
        Assert.Contains("15 tokens per day for the function f", failure.Message, StringComparison.Ordinal);
        Assert.Contains("T00:00:00Z", failure.Message, StringComparison.Ordinal);
        Assert.InRange(failure.RetryAfter!.Value, TimeSpan.Zero, TimeSpan.FromDays(1));
        await ai.AskAsync("m", caller: new AiCaller("authenticated", "ann"));
        await ai.AskAsync("m", caller: AiHarness.Ann with { Function = "g" });
    }

    [Fact]
    public async Task A_limit_per_user_counts_each_user_apart()
    {
        await ai.AddProviderAsync("main");
        await LimitAsync("""{"per_user": true, "requests_per_day": 1}""");

        await ai.AskAsync("m", caller: AiHarness.Ann);
        await ai.AskAsync("m", caller: AiHarness.Bob);

        Assert.Equal("PGFN5103", (await FailureAsync(AiHarness.Ann)).Code);
        Assert.Equal("PGFN5103", (await FailureAsync(AiHarness.Bob)).Code);
    }

    [Fact]
    public async Task A_limit_of_a_role_concerns_no_other()
    {
        await ai.AddProviderAsync("main");
        await LimitAsync("""{"role": "anon", "requests_per_day": 0}""");

        await ai.AskAsync("m");

        Assert.Equal("PGFN5103", (await FailureAsync(new AiCaller("anon", null))).Code);
    }

    [Fact]
    public async Task A_limit_of_money_counts_by_the_prices()
    {
        await ai.AddProviderAsync("main");
        await ai.Database.ExecuteAsync("select functions.set_ai_price('m', 1000, 2000)");
        await LimitAsync("""{"cost_per_day": 0.03}""");

        var first = await ai.AskAsync("m");
        var second = await ai.AskAsync("m");

        Assert.Equal((0.02m, 0.02m), (first.Call.Cost, second.Call.Cost));
        Assert.Equal("PGFN5103", (await FailureAsync(AiHarness.Ann)).Code);
    }

    [Fact]
    public async Task A_model_without_a_price_does_not_evade_a_limit_of_money()
    {
        var provider = await ai.AddProviderAsync("main");
        await ai.Database.ExecuteAsync("select functions.set_ai_price('main/priced', 1, 1)");
        await LimitAsync("""{"cost_per_day": 1}""");

        await ai.AskAsync("priced");
        var failure = await FailureAsync(AiHarness.Ann, "unpriced");

        Assert.Equal(("PGFN5104", 403), (failure.Code, failure.Status));
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task Leaving_a_stream_before_its_usage_does_not_evade_a_limit_of_tokens()
    {
        var provider = await ai.AddProviderAsync("main");
        provider.Enqueue(OpenAiAnswers.Stream(new string('x', 400), "more"));
        await LimitAsync("""{"tokens_per_day": 100}""");

        await using (var stream = await ai.StreamAsync("m"))
        {
            await using var updates = stream.GetAsyncEnumerator(AiHarness.Token);
            Assert.True(await updates.MoveNextAsync());
        }

        Assert.Equal("PGFN5103", (await FailureAsync(AiHarness.Ann)).Code);
        Assert.Equal(101, await ai.Database.ScalarAsync<long>("select used_tokens from functions.ai_limits"));
    }

    [Fact]
    public async Task A_provider_without_usage_is_counted_by_an_estimate()
    {
        var provider = await ai.AddProviderAsync("main");
        provider.Answer = static _ => OpenAiAnswers.Chat(new string('x', 400), inputTokens: 0, outputTokens: 0);
        await LimitAsync("""{"tokens_per_day": 100}""");

        await ai.AskAsync("m", new string('y', 40));

        Assert.Equal("PGFN5103", (await FailureAsync(AiHarness.Ann)).Code);
    }

    [Fact]
    public async Task Usage_of_a_past_period_does_not_count()
    {
        await ai.AddProviderAsync("main");
        await LimitAsync("""{"requests_per_day": 1}""");
        await ai.AskAsync("m");
        Assert.Equal("PGFN5103", (await FailureAsync(AiHarness.Ann)).Code);

        await ai.Database.ExecuteAsync("update functions_private.ai_usage set since = since - interval '1 day'");

        await ai.AskAsync("m");
        Assert.Equal(1L, await ai.Database.ScalarAsync<long>("select used_requests from functions.ai_limits"));
    }

    [Fact]
    public async Task A_limit_without_numbers_is_removed()
    {
        await ai.AddProviderAsync("main");
        await LimitAsync("""{"requests_per_day": 0, "tokens_per_minute": 5}""");
        Assert.Equal(2L, await ai.Database.ScalarAsync<long>("select count(*) from functions.ai_limits"));

        await LimitAsync("{}");

        Assert.Equal(0L, await ai.Database.ScalarAsync<long>("select count(*) from functions.ai_limits"));
        await ai.AskAsync("m");
    }

    private Task LimitAsync(string options) => ai.Database.ExecuteAsync($"select functions.limit_ai('{options}')");

    private Task<SidecarException> FailureAsync(AiCaller caller, string model = "m") =>
        Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync(model, caller: caller));
}
