using Functions.PgSidecar.Core.Auth.Keys;
using Functions.PgSidecar.Tests.Unit.Http;

namespace Functions.PgSidecar.Tests.Unit.Auth;

/// <summary>Key sets from a real server, which also returns redirects, errors and endless responses.</summary>
public sealed class KeySetUrlTests
{
    private static readonly string Set = $$"""{"keys":[{{TestTokens.Jwk(TestTokens.Rsa, "")}}]}""";

    [Fact]
    public async Task A_published_key_set_is_read()
    {
        await using var server = new LoopbackServer(_ => LoopbackServer.Ok(Set));

        Assert.Single(await LoadAsync(server));
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using var elsewhere = new LoopbackServer(_ => LoopbackServer.Ok(Set));
        await using var server = new LoopbackServer(_ => LoopbackServer.Redirect(302, $"http://127.0.0.1:{elsewhere.Port}/"));

        await Assert.ThrowsAsync<HttpRequestException>(() => LoadAsync(server));
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public async Task Endless_key_set_is_refused()
    {
        await using var server = new LoopbackServer(
            async (_, stream) =>
            {
                await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
                while (true)
                    await stream.WriteAsync(new byte[4096]);
            }
        );

        await Assert.ThrowsAsync<HttpRequestException>(() => LoadAsync(server));
    }

    [Fact]
    public async Task Error_page_is_not_a_key_set()
    {
        await using var failing = new LoopbackServer(_ => "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        await using var page = new LoopbackServer(_ => LoopbackServer.Ok("<html>Sign in</html>"));

        await Assert.ThrowsAsync<HttpRequestException>(() => LoadAsync(failing));
        await Assert.ThrowsAsync<FormatException>(() => LoadAsync(page));
    }

    private static Task<IReadOnlyList<VerificationKey>> LoadAsync(LoopbackServer server) =>
        KeySetLoaders.FromUrl(new Uri($"http://127.0.0.1:{server.Port}/jwks"))(TestContext.Current.CancellationToken);
}
