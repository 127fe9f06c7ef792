using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Testing.Ai;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>Equal requests of one caller are answered from the cache, and of nobody else.</summary>
public sealed class AnswerCacheTests : IAsyncLifetime
{
    private static readonly AiCallOptions Cached = new() { CacheTtl = TimeSpan.FromHours(1) };

    private static readonly System.Text.Json.JsonElement AnySchema = System
        .Text.Json.JsonDocument.Parse("{\"type\": \"object\"}")
        .RootElement;

    private AiHarness ai = null!;
    private ScriptedProvider provider = null!;

    public async ValueTask InitializeAsync()
    {
        ai = await AiHarness.StartAsync();
        provider = await ai.AddProviderAsync("main");
        var answers = 0;
        provider.Answer = _ => OpenAiAnswers.Chat("answer " + Interlocked.Increment(ref answers));
    }

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Fact]
    public async Task An_equal_request_is_answered_from_the_cache_in_any_sidecar()
    {
        var other = await ai.AddSidecarAsync();

        var first = await ai.AskAsync("m", call: Cached);
        var second = await ai.AskAsync("m", call: Cached, gateway: other);

        Assert.Equal(("answer 1", "answer 1"), (first.Value.Text, second.Value.Text));
        Assert.Equal((false, true), (first.Call.IsCached, second.Call.IsCached));
        Assert.Equal(("main", 0), (second.Call.Provider, second.Call.Attempts));
        Assert.Equal(ChatFinishReason.Stop, second.Value.FinishReason);
        Assert.Single(provider.Requests);
    }

    [Fact]
    public async Task Another_user_role_or_function_never_gets_the_answer()
    {
        await ai.AskAsync("m", call: Cached);

        foreach (
            var caller in (AiCaller[])
                [
                    AiHarness.Bob,
                    AiHarness.Ann with
                    {
                        UserId = null,
                    },
                    AiHarness.Ann with
                    {
                        Role = "anon",
                    },
                    AiHarness.Ann with
                    {
                        Function = "g",
                    },
                    AiHarness.Ann with
                    {
                        Function = null,
                    },
                ]
        )
            Assert.False((await ai.AskAsync("m", call: Cached, caller: caller)).Call.IsCached);
    }

    [Fact]
    public async Task A_key_of_ones_own_is_no_way_to_the_answers_of_others()
    {
        var keyed = Cached with { CacheKey = "k" };
        await ai.AskAsync("m", "one", keyed);

        Assert.True((await ai.AskAsync("m", "two", keyed)).Call.IsCached);
        Assert.False((await ai.AskAsync("m", "two", keyed, AiHarness.Bob)).Call.IsCached);
        Assert.False((await ai.AskAsync("other", "two", keyed)).Call.IsCached);
    }

    [Fact]
    public async Task Whatever_can_change_the_answer_is_compared()
    {
        ChatOptions[] different =
        [
            new(),
            new() { Temperature = 0.5f },
            new() { MaxOutputTokens = 7 },
            new() { Seed = 1 },
            new() { StopSequences = ["x"] },
            new() { ResponseFormat = ChatResponseFormat.Json },
            new() { ToolMode = ChatToolMode.RequireAny },
            new() { Tools = [AIFunctionFactory.CreateDeclaration("a", "b", AnySchema)] },
            new() { Tools = [AIFunctionFactory.CreateDeclaration("a", "c", AnySchema)] },
        ];

        foreach (var options in different)
        {
            Assert.False((await ChatAsync(options)).Call.IsCached);
            Assert.True((await ChatAsync(options.Clone())).Call.IsCached);
        }
    }

    [Fact]
    public async Task Skipping_the_cache_asks_the_provider_and_stores_the_new_answer()
    {
        await ai.AskAsync("m", call: Cached);
        var skipped = await ai.AskAsync("m", call: Cached with { SkipCache = true });
        var next = await ai.AskAsync("m", call: Cached);

        Assert.Equal(("answer 2", "answer 2"), (skipped.Value.Text, next.Value.Text));
    }

    [Fact]
    public async Task Without_a_time_nothing_is_stored_and_an_expired_answer_is_not_used()
    {
        await ai.AskAsync("m");
        Assert.Equal(0L, await ai.Database.ScalarAsync<long>("select count(*) from functions_private.ai_answers"));

        await ai.AskAsync("m", call: Cached);
        await ai.Database.ExecuteAsync("update functions_private.ai_answers set expires_at = now()");

        Assert.False((await ai.AskAsync("m", call: Cached)).Call.IsCached);
    }

    [Fact]
    public async Task Streams_and_embeddings_are_cached_too()
    {
        provider.Enqueue(OpenAiAnswers.Stream("a", "b"));
        for (var i = 0; i < 2; i++)
        {
            await using var stream = await ai.StreamAsync("m", Cached);
            var response = await stream.ToChatResponseAsync(AiHarness.Token);
            Assert.Equal(("ab", i == 1), (response.Text, stream.Call.IsCached));
            Assert.Equal(15, response.Usage!.TotalTokenCount);
        }

        provider.Enqueue(OpenAiAnswers.Embeddings("abc"));
        for (var i = 0; i < 2; i++)
        {
            var made = await ai.Gateway.EmbedAsync(AiHarness.Ann, "e", ["abc"], new(), Cached, AiHarness.Token);
            Assert.Equal([3f, 0f], made.Value[0].Vector.ToArray());
            Assert.Equal(i == 1, made.Call.IsCached);
        }
        Assert.Equal(2, provider.Requests.Count);
    }

    [Fact]
    public async Task Calls_of_tools_come_out_of_the_cache_as_they_went_in()
    {
        provider.Enqueue(OpenAiAnswers.ToolCall("weather", """{"city": "Zürich"}"""));

        for (var i = 0; i < 2; i++)
        {
            var answer = await ai.AskAsync("m", call: Cached);
            var call = Assert.Single(answer.Value.Messages[0].Contents.OfType<FunctionCallContent>());
            Assert.Equal(("weather", "Zürich", "call_1"), (call.Name, call.Arguments!["city"]!.ToString(), call.CallId));
            Assert.Equal(i == 1, answer.Call.IsCached);
        }
    }

    private Task<AiAnswer<ChatResponse>> ChatAsync(ChatOptions options) =>
        ai.Gateway.ChatAsync(AiHarness.Ann, "m", [new ChatMessage(ChatRole.User, "Hi")], options, Cached, AiHarness.Token);
}
