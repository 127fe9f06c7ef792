using System.Net;

namespace Functions.PgSidecar.Tests.EndToEnd;

public sealed class AuthTests(SidecarFixture sidecar)
{
    private static long Soon => DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds();

    public static TheoryData<string> BadTokens { get; } =
    [
        "",
        "not.a.token",
        Tokens.Sign(new() { ["role"] = "service_role", ["exp"] = Soon }, algorithm: "none"),
        Tokens.Sign(new() { ["role"] = "service_role", ["exp"] = Soon }, secret: "another secret, just as long as it must be"),
        Tokens.Sign(new() { ["role"] = "authenticated", ["exp"] = DateTimeOffset.UtcNow.AddHours(-1).ToUnixTimeSeconds() }),
        Tokens.Sign(new() { ["role"] = "authenticated", ["nbf"] = Soon, ["exp"] = Soon }),
        Tokens.Sign(new() { ["role"] = "authenticated\"; drop role x", ["exp"] = Soon }),
        Tokens.Sign(new() { ["role"] = "authenticated", ["exp"] = Soon }, algorithm: "HS512"),
    ];

    [Theory]
    [MemberData(nameof(BadTokens))]
    public async Task A_token_that_proves_nothing_is_refused_with_401(string token)
    {
        var name = await sidecar.DeployAsync("export const handler = () => ({ reached: true });");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + token);
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains(response.Headers.WwwAuthenticate, challenge => challenge.Scheme == "Bearer");
        if (token.Length > 10)
            Assert.DoesNotContain(token, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_token_a_function_is_reached_only_where_it_says_so_and_then_as_anon()
    {
        var guarded = await sidecar.DeployAsync("export const handler = () => 'reached';");
        using (var response = await sidecar.SendAsync(HttpMethod.Get, guarded, null, token: null))
            Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);

        var open = await sidecar.DeployAsync(
            "export const handler = async event => ({ user: event.user_id, role: (await db.query('select functions.role() as r'))[0].r });", """{"verify_jwt":false}""");
        using (var response = await sidecar.SendAsync(HttpMethod.Get, open, null, token: null))
            Assert.Equal("""{"user":null,"role":"anon"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_preflight_needs_no_token()
    {
        var name = await sidecar.DeployAsync("""
            export default { fetch: request => new Response(null, { status: 204, headers: { 'access-control-allow-origin': '*', 'x-method': request.method } }) };
            """);
        using var response = await sidecar.SendAsync(HttpMethod.Options, name, null, token: null);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("*", Assert.Single(response.Headers.GetValues("access-control-allow-origin")));
    }

    [Fact]
    public async Task Two_Authorization_headers_are_refused()
    {
        var name = await sidecar.DeployAsync("export const handler = () => 'reached';");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.TryAddWithoutValidation("Authorization", ["Bearer " + Tokens.For("anon"), "Bearer " + Tokens.For("service_role")]);
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
    }

    [Fact]
    public async Task A_role_that_was_not_granted_to_functions_is_refused_by_the_database()
    {
        var name = await sidecar.DeployAsync("export const handler = async () => (await db.query('select current_user as me'))[0];");
        using var response = await sidecar.PostAsync(name, role: "postgres");
        Assert.True((int)response.StatusCode is 403 or 500);
        Assert.DoesNotContain("\"me\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_apikey_header_carries_a_token_as_Supabase_clients_send_it()
    {
        var name = await sidecar.DeployAsync("export const handler = event => ({ user: event.user_id });");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/functions/v1/invoke/" + name);
        request.Headers.Add("apikey", Tokens.For("authenticated", "u-1"));
        using var response = await sidecar.Http.SendAsync(request);
        Assert.Equal("""{"user":"u-1"}""", await response.Content.ReadAsStringAsync());
    }
}
