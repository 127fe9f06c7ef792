using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Ai;
using Functions.PgSidecar.Testing;
using Microsoft.Extensions.AI;

namespace Functions.PgSidecar.Tests.Integration.Ai;

/// <summary>A copy of a database does not spend the original's money.</summary>
public sealed class CopyTests : IAsyncLifetime
{
    private AiHarness ai = null!;

    public async ValueTask InitializeAsync() => ai = await AiHarness.StartAsync();

    public async ValueTask DisposeAsync() => await ai.DisposeAsync();

    [Fact]
    public async Task A_copy_asks_no_provider_before_it_is_adopted()
    {
        var provider = await ai.AddProviderAsync("main");
        var gateway = await CopyAsync("hold");

        var chat = await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("m", gateway: gateway));
        var stream = await Assert.ThrowsAsync<SidecarException>(() =>
            gateway.StreamAsync(
                AiHarness.Ann,
                "m",
                [new ChatMessage(ChatRole.User, "Hi")],
                new ChatOptions(),
                AiCallOptions.Default,
                AiHarness.Token
            )
        );
        var embeddings = await Assert.ThrowsAsync<SidecarException>(() =>
            gateway.EmbedAsync(AiHarness.Ann, "m", ["a"], new(), AiCallOptions.Default, AiHarness.Token)
        );

        Assert.Equal(("PGFN5114", "PGFN5114", "PGFN5114"), (chat.Code, stream.Code, embeddings.Code));
        Assert.Empty(provider.Requests);
        Assert.True(await ai.Database.ScalarAsync<bool>("select held from functions.ai_providers"));
        await ai.Database.ExecuteAsync("select functions.adopt('deliver')");
        await Eventually.HoldsAsync(() => AnswersAsync(gateway));
        Assert.Equal("Bearer sk-main-0123456789", Assert.Single(provider.Requests).Headers["authorization"]);
    }

    [Fact]
    public async Task Beside_the_original_a_provider_needs_credentials_of_the_copys_own()
    {
        var provider = await ai.AddProviderAsync("main", options: ", \"headers\": {\"X-Proxy-Key\": \"proxy-secret\"}");
        var gateway = await CopyAsync("discard");
        await ai.Database.ExecuteAsync("select functions.adopt('discard')");
        Assert.Equal("PGFN5114", (await Assert.ThrowsAsync<SidecarException>(() => ai.AskAsync("m", gateway: gateway))).Code);

        // Set again without credentials, it does not go on with those of the original.
        await SetAsync(provider.Url, "");
        await Eventually.HoldsAsync(() => AnswersAsync(gateway));
        await SetAsync(provider.Url, ", \"api_key\": \"sk-of-the-copy\"");
        await Eventually.HoldsAsync(async () =>
        {
            await ai.AskAsync("m", gateway: gateway);
            return provider.Requests[^1].Headers.TryGetValue("authorization", out var key) && key == "Bearer sk-of-the-copy";
        });
        Assert.All(provider.Requests, request =>
        {
            Assert.NotEqual("Bearer sk-main-0123456789", request.Headers.GetValueOrDefault("authorization"));
            Assert.False(request.Headers.ContainsKey("x-proxy-key"));
        });
    }

    [Fact]
    public async Task A_database_that_was_moved_goes_on_also_if_nothing_waited()
    {
        await ai.AddProviderAsync("main");
        var gateway = await CopyAsync("deliver");
        await ai.AskAsync("m", gateway: gateway);
    }

    /// <summary>Makes the database a copy, and starts a sidecar on it.</summary>
    private async Task<AiGateway> CopyAsync(string onRestore)
    {
        await ai.Database.ExecuteAsync($"select functions_private.initialize_copy('another server', 1, '{onRestore}')");
        return await ai.AddSidecarAsync();
    }

    private Task SetAsync(string url, string options) =>
        ai.Database.ExecuteAsync($$"""select functions.set_ai_provider('main', '{"base_url": "{{url}}/v1"{{options}}}')""");

    private async Task<bool> AnswersAsync(AiGateway gateway)
    {
        try
        {
            await ai.AskAsync("m", gateway: gateway);
            return true;
        }
        catch (SidecarException e) when (e.Code == "PGFN5114")
        {
            return false;
        }
    }
}
