using System.Text;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Tests.Unit.Auth;

public sealed class AuthenticatorTests
{
    private static readonly string Good = TestTokens.Hs256(TestTokens.GoodClaims);
    private static readonly string Other = TestTokens.Hs256(TestTokens.GoodClaims.Replace("u1", "u2", StringComparison.Ordinal));

    private readonly Authenticator authenticator = new(TestTokens.WithSecret(), new AuthOptions());

    [Fact]
    public async Task Request_without_token_has_the_anonymous_role()
    {
        var caller = (await Ask([], [])).Caller!;

        Assert.Equal("anon", caller.Role);
        Assert.Null(caller.Subject);
        Assert.Equal("""{"role":"anon"}""", Encoding.UTF8.GetString(caller.ClaimsJson.Span));
    }

    [Theory]
    [InlineData("Bearer {t}")]
    [InlineData("bearer {t}")]
    [InlineData("BEARER   {t} ")]
    public async Task Bearer_token_is_accepted(string header) =>
        Assert.Equal("u1", (await Ask([header.Replace("{t}", Good)], [])).Caller!.Subject);

    [Theory]
    [InlineData("")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("{t}")]
    [InlineData("Basic dTpw")]
    [InlineData("Bearer\t{t}")]
    [InlineData("Bearer {t}, Bearer {t}")]
    [InlineData("Bearer {t} {t}")]
    [InlineData("Bearer,{t}")]
    public async Task Other_authorization_schemes_are_malformed_and_never_anonymous(string header) =>
        Assert.Equal(AuthRefusal.MalformedHeader, (await Ask([header.Replace("{t}", Good)], [])).Refusal);

    [Fact]
    public async Task Two_authorization_headers_are_refused_even_when_equal()
    {
        Assert.Equal(AuthRefusal.DuplicateHeader, (await Ask([$"Bearer {Good}", $"Bearer {Good}"], [])).Refusal);
        Assert.Equal(AuthRefusal.DuplicateHeader, (await Ask([], [Good, Good])).Refusal);
    }

    [Fact]
    public async Task Apikey_header_carries_the_token_without_an_Authorization_header()
    {
        Assert.Equal("u1", (await Ask([], [Good])).Caller!.Subject);
        Assert.Equal(AuthRefusal.MalformedToken, (await Ask([], ["nonsense"])).Refusal);
        Assert.Equal(AuthRefusal.MalformedHeader, (await Ask([], [" "])).Refusal);
    }

    [Fact]
    public async Task Authorization_header_takes_precedence_over_apikey()
    {
        Assert.Equal("u2", (await Ask([$"Bearer {Other}"], [Good])).Caller!.Subject);
        Assert.Equal(AuthRefusal.MalformedToken, (await Ask(["Bearer nonsense"], [Good])).Refusal);
    }

    private ValueTask<AuthResult> Ask(string[] authorization, string[] apiKey) =>
        authenticator.AuthenticateAsync(authorization, apiKey, default);
}
