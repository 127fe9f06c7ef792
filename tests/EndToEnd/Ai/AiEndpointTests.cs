using System.Net;
using System.Text.Json.Nodes;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Testing.Ai;

namespace Functions.PgSidecar.Tests.EndToEnd.Ai;

/// <summary>The endpoint in OpenAI's protocol: its wire format, who may use it, and its errors.</summary>
public sealed class AiEndpointTests(ModelFixture models) : IClassFixture<ModelFixture>
{
    private const string Messages = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    [Fact]
    public async Task A_completion_has_the_form_of_OpenAI()
    {
        var model = models.Script(OpenAiAnswers.Chat("hello", inputTokens: 8, outputTokens: 2, cachedTokens: 4));
        using var response = await models.SendAsync(
            HttpMethod.Post,
            "/chat/completions",
            $$"""{"model":"{{model}}",{{Messages}},"user":"u","service_tier":"flex"}"""
        );
        Assert.Equal((HttpStatusCode.OK, "application/json"), (response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        Assert.True(response.Headers.Contains("x-request-id") && response.Headers.Contains("cf-aig-log-id"));
        var answer = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(
            ("chat.completion", "hello", "stop"),
            (
                (string)answer["object"]!,
                (string)answer["choices"]![0]!["message"]!["content"]!,
                (string)answer["choices"]![0]!["finish_reason"]!
            )
        );
        Assert.Equal(
            """{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":4}}""",
            WithoutReasoning(answer["usage"]!)
        );
        // What only the provider understands is passed on.
        var sent = Assert.Single(models.Requests(model)).Body;
        Assert.Equal(("u", "flex"), ((string)sent["user"]!, (string)sent["service_tier"]!));
    }

    [Fact]
    public async Task A_stream_is_sent_while_the_provider_writes()
    {
        var gate = new TaskCompletionSource();
        var model = models.Script(OpenAiAnswers.Stream("one", "two") with { Hold = (1, gate.Task) });
        using var response = await models.SendAsync(
            HttpMethod.Post,
            "/chat/completions",
            $$"""{"model":"{{model}}",{{Messages}},"stream":true,"stream_options":{"include_usage":true} }"""
        );
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        Assert.Contains("\"role\":\"assistant\"", await reader.ReadLineAsync(), StringComparison.Ordinal);
        await reader.ReadLineAsync();
        Assert.Contains("\"content\":\"one\"", await reader.ReadLineAsync(), StringComparison.Ordinal);
        gate.SetResult();
        var rest = await reader.ReadToEndAsync();
        Assert.Contains("\"choices\":[],\"usage\":{\"prompt_tokens\":10", rest, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_breaks_ends_with_an_error_and_without_DONE()
    {
        var model = models.Script(OpenAiAnswers.Stream("a") with { Pieces = [.. OpenAiAnswers.Stream("a").Pieces.Take(1)] });
        using var response = await models.SendAsync(
            HttpMethod.Post,
            "/chat/completions",
            $$"""{"model":"{{model}}",{{Messages}},"stream":true}"""
        );
        var text = await response.Content.ReadAsStringAsync();
        Assert.Contains("\"content\":\"a\"", text, StringComparison.Ordinal);
        Assert.Contains("\"type\":\"server_error\"", text, StringComparison.Ordinal);
        Assert.Contains("PGFN5107", text, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_leaves_ends_the_request_to_the_provider()
    {
        var before = models.Provider.AbortedCount;
        var never = new TaskCompletionSource();
        var model = models.Script(OpenAiAnswers.Stream("a", "b") with { Hold = (1, never.Task) });
        using (
            var response = await models.SendAsync(
                HttpMethod.Post,
                "/chat/completions",
                $$"""{"model":"{{model}}",{{Messages}},"stream":true}"""
            )
        )
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            await reader.ReadLineAsync();
        }
        await Eventually.HoldsAsync(() => Task.FromResult(models.Provider.AbortedCount > before));
    }

    [Fact]
    public async Task Embeddings_are_numbers_or_base64()
    {
        var model = models.Script(OpenAiAnswers.Embeddings("abcd"));
        using var numbers = await models.SendAsync(HttpMethod.Post, "/embeddings", $$"""{"model":"{{model}}","input":"abcd"}""");
        Assert.Equal("[4,0]", JsonNode.Parse(await numbers.Content.ReadAsStringAsync())!["data"]![0]!["embedding"]!.ToJsonString());
        using var text = await models.SendAsync(
            HttpMethod.Post,
            "/embeddings",
            $$"""{"model":"{{model}}","input":["abcd"],"encoding_format":"base64"}"""
        );
        Assert.Equal("AACAQAAAAAA=", (string)JsonNode.Parse(await text.Content.ReadAsStringAsync())!["data"]![0]!["embedding"]!);
    }

    [Fact]
    public async Task Models_are_listed_and_found()
    {
        var name = $"team/model-{Guid.NewGuid():n}";
        await models.Sidecar.Database.ExecuteAsync(
            $$"""select functions.set_ai_route('{{name}}', '{"targets": [{"provider": "scripted", "model": "x"}]}')"""
        );
        await Eventually.HoldsAsync(async () =>
        {
            using var list = await models.SendAsync(HttpMethod.Get, "/models", null);
            return (await list.Content.ReadAsStringAsync()).Contains(name, StringComparison.Ordinal);
        });
        foreach (var path in new[] { $"/models/{name}", $"/models/{Uri.EscapeDataString(name)}" })
        {
            using var found = await models.SendAsync(HttpMethod.Get, path, null);
            Assert.Equal(name, (string)JsonNode.Parse(await found.Content.ReadAsStringAsync())!["id"]!);
        }
        using var none = await models.SendAsync(HttpMethod.Get, "/models/none", null);
        await AssertErrorAsync(none, 404, "PGFN5154", "invalid_request_error", "model");
    }

    [Fact]
    public async Task Without_a_token_or_with_a_bad_one_nothing_is_asked()
    {
        var model = models.Script(OpenAiAnswers.Chat("unused"));
        var body = $$"""{"model":"{{model}}",{{Messages}}}""";
        using var anonymous = await models.SendAsync(HttpMethod.Post, "/chat/completions", body, role: null);
        await AssertErrorAsync(anonymous, 401, "AUTHENTICATION_ERROR", "authentication_error", null);
        Assert.Equal("Bearer", anonymous.Headers.WwwAuthenticate.ToString());
        var forged = Tokens.Sign(new() { ["role"] = "service_role", ["exp"] = 4_000_000_000 }, secret: new string('x', 40));
        using var bad = await models.SendAsync(HttpMethod.Post, "/chat/completions", body, null, ("Authorization", "Bearer " + forged));
        await AssertErrorAsync(bad, 401, "PGFN3010", "authentication_error", null);
        Assert.Empty(models.Requests(model));
    }

    [Fact]
    public async Task A_role_needs_a_grant_which_can_be_taken_back()
    {
        var model = models.Script(OpenAiAnswers.Chat("hello"));
        var body = $$"""{"model":"{{model}}",{{Messages}}}""";
        async Task<int> StatusAsync()
        {
            using var response = await models.SendAsync(HttpMethod.Post, "/chat/completions", body, "anon");
            return (int)response.StatusCode;
        }
        using (var refused = await models.SendAsync(HttpMethod.Post, "/chat/completions", body, "anon"))
            await AssertErrorAsync(refused, 403, "PGFN5157", "permission_error", null);
        using (var list = await models.SendAsync(HttpMethod.Get, "/models", null, "anon"))
            Assert.Equal(HttpStatusCode.Forbidden, list.StatusCode);
        await models.Sidecar.Database.ExecuteAsync("select functions.grant_ai('anon')");
        await Eventually.HoldsAsync(async () => await StatusAsync() == 200);
        await models.Sidecar.Database.ExecuteAsync("select functions.revoke_ai('anon')");
        await Eventually.HoldsAsync(async () => await StatusAsync() == 403);
    }

    [Theory]
    [InlineData("{", "PGFN5151", "body")]
    [InlineData("[]", "PGFN5151", "The request")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"n":3}""", "PGFN5152", "n")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":"hi"}],"guided_json":{}}""", "PGFN5152", "guided_json")]
    [InlineData("""{"messages":[{"role":"user","content":"hi"}]}""", "PGFN5151", "model")]
    public async Task A_wrong_request_is_answered_with_the_member(string body, string code, string parameter)
    {
        using var response = await models.SendAsync(HttpMethod.Post, "/chat/completions", body);
        await AssertErrorAsync(response, 400, code, "invalid_request_error", parameter);
    }

    [Fact]
    public async Task Other_paths_and_methods_are_answered_in_the_same_form()
    {
        foreach (
            var (method, path) in new[] { ("POST", "/responses"), ("GET", "/chat/completions"), ("DELETE", "/models/x"), ("GET", "/") }
        )
        {
            using var response = await models.SendAsync(new HttpMethod(method), path, null);
            await AssertErrorAsync(response, 404, "PGFN5153", "invalid_request_error", null);
        }
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused()
    {
        using var response = await models.SendAsync(
            HttpMethod.Post,
            "/chat/completions",
            new string(' ', 11 * 1024 * 1024),
            "service_role",
            ("Expect", "100-continue")
        );
        await AssertErrorAsync(response, 413, "PAYLOAD_TOO_LARGE", "invalid_request_error", null);
    }

    [Fact]
    public async Task A_limit_of_the_provider_says_when_to_come_back_and_keeps_its_key()
    {
        var model = models.Script(ScriptedAnswer.Failure(429, "slow down", ("Retry-After", "7")));
        using var response = await models.SendAsync(HttpMethod.Post, "/chat/completions", $$"""{"model":"{{model}}",{{Messages}}}""");
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        var text = await AssertErrorAsync(response, 429, "PGFN5110", "rate_limit_error", null);
        Assert.DoesNotContain(ModelFixture.ProviderKey, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_of_the_gateway_let_an_equal_request_be_answered_from_the_cache()
    {
        var model = models.Script(OpenAiAnswers.Chat("first"), OpenAiAnswers.Chat("second"));
        async Task<string> AskAsync(string more, string role = "service_role")
        {
            using var response = await models.SendAsync(
                HttpMethod.Post,
                "/chat/completions",
                $$"""{"model":"{{model}}",{{Messages}}{{more}}}""",
                role,
                ("cf-aig-cache-ttl", "600")
            );
            return (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["choices"]![0]!["message"]!["content"]!;
        }
        Assert.Equal("first", await AskAsync(""));
        Assert.Equal("first", await AskAsync(""));
        // A member that only the provider understands makes another request of it; so does another role.
        Assert.Equal("second", await AskAsync(""","logit_bias":{"1":5}"""));
        Assert.Equal("second", await AskAsync("", "authenticated"));
        Assert.Equal(3, models.Requests(model).Count);
    }

    private static async Task<string> AssertErrorAsync(
        HttpResponseMessage response,
        int status,
        string code,
        string type,
        string? parameter
    )
    {
        var text = await response.Content.ReadAsStringAsync();
        var error = JsonNode.Parse(text)!["error"]!;
        Assert.Equal(
            (status, code, type, parameter),
            ((int)response.StatusCode, (string)error["code"]!, (string)error["type"]!, (string?)error["param"])
        );
        Assert.NotEmpty((string)error["message"]!);
        return text;
    }

    private static string WithoutReasoning(JsonNode usage)
    {
        usage.AsObject().Remove("completion_tokens_details");
        return usage.ToJsonString();
    }
}
