using System.Text;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Tests.Unit.Auth;

public sealed class TokenVerifierTests
{
    [Fact]
    public async Task Valid_token_yields_role_subject_claims_and_expiry()
    {
        var result = await TestTokens.WithSecret().VerifyAsync(TestTokens.Hs256(TestTokens.GoodClaims), default);

        var caller = Assert.IsType<Caller>(result.Caller);
        Assert.Equal("authenticated", caller.Role);
        Assert.Equal("u1", caller.Subject);
        Assert.Equal(TestTokens.GoodClaims, Encoding.UTF8.GetString(caller.ClaimsJson.Span));
        Assert.Equal(TestTokens.Now.AddSeconds(600), caller.ExpiresAt);
    }

    [Fact]
    public async Task Token_without_role_gets_the_least_privileged_role_and_keeps_its_subject()
    {
        var result = await TestTokens.WithSecret().VerifyAsync(TestTokens.Hs256(Claims("""{"sub":"u1","exp":+600}""")), default);

        Assert.Equal("anon", result.Caller!.Role);
        Assert.Equal("u1", result.Caller.Subject);
    }

    [Fact]
    public async Task Role_claim_name_is_configurable()
    {
        var verifier = TestTokens.WithSecret(new AuthOptions { RoleClaim = "pg_role", DefaultRole = "guest" });

        Assert.Equal(
            "editor",
            (await verifier.VerifyAsync(TestTokens.Hs256(Claims("""{"pg_role":"editor","exp":+600}""")), default)).Caller!.Role
        );
        Assert.Equal(
            "guest",
            (await verifier.VerifyAsync(TestTokens.Hs256(Claims("""{"role":"service_role","exp":+600}""")), default)).Caller!.Role
        );
    }

    [Theory]
    [InlineData("app_metadata.role", """{"app_metadata":{"role":"editor"},"exp":+600}""", "editor")]
    [InlineData(".app_metadata.role", """{"app_metadata":{"role":"editor"},"exp":+600}""", "editor")]
    [InlineData("app_metadata.role", """{"app_metadata":{},"exp":+600}""", "anon")]
    [InlineData("app_metadata.role", """{"app_metadata":"role","exp":+600}""", "anon")]
    [InlineData("app_metadata.role", """{"role":"editor","exp":+600}""", "anon")]
    [InlineData("app_metadata.role", """{"app_metadata.role":"editor","app_metadata":{"role":"other"},"exp":+600}""", "editor")]
    [InlineData("https://shop.example/role", """{"https://shop.example/role":"editor","exp":+600}""", "editor")]
    public async Task The_role_claim_can_be_a_path_or_a_name_with_dots(string setting, string claims, string role)
    {
        var verifier = TestTokens.WithSecret(new AuthOptions { RoleClaim = setting });

        Assert.Equal(role, (await verifier.VerifyAsync(TestTokens.Hs256(Claims(claims)), default)).Caller!.Role);
    }

    [Theory]
    [InlineData("""["offline_access","viewer","editor"]""", "editor")]
    [InlineData("""["viewer"]""", "viewer")]
    [InlineData("\"viewer\"", "viewer")]
    [InlineData("""["offline_access"]""", null)]
    [InlineData("[]", null)]
    [InlineData("""[1,{"editor":true},null]""", null)]
    [InlineData("\"service_role\"", null)]
    [InlineData("""{"editor":true}""", null)]
    public async Task First_role_of_the_list_that_the_setting_names_is_used(string roles, string? expected)
    {
        var verifier = TestTokens.WithSecret(new AuthOptions { RoleClaim = "realm_access.roles", TokenRoles = ["editor", "viewer"] });
        var token = TestTokens.Hs256(Claims($$"""{"realm_access":{"roles":{{roles}}},"exp":+600}"""));

        var result = await verifier.VerifyAsync(token, default);

        Assert.Equal(expected, result.Caller?.Role);
        Assert.Equal(expected is null ? AuthRefusal.InvalidRole : AuthRefusal.None, await TestTokens.RefusalOf(verifier, token));
    }

    [Fact]
    public async Task List_of_roles_is_refused_without_the_roles_setting() =>
        Assert.Equal(
            AuthRefusal.InvalidRole,
            await TestTokens.RefusalOf(
                TestTokens.WithSecret(new AuthOptions { RoleClaim = "roles" }),
                TestTokens.Hs256(Claims("""{"roles":["editor"],"exp":+600}"""))
            )
        );

    [Theory]
    [InlineData("""{"exp":-61}""", AuthRefusal.Expired)]
    [InlineData("""{"exp":-60}""", AuthRefusal.Expired)]
    [InlineData("""{"exp":-59}""", AuthRefusal.None)]
    [InlineData("""{}""", AuthRefusal.ExpiryMissing)]
    [InlineData("""{"exp":null}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":"1900000000"}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":1900000000000}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":1e999}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp": -1}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":+600,"nbf":+61}""", AuthRefusal.NotYetValid)]
    [InlineData("""{"exp":+600,"nbf":+60}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"iat":+61}""", AuthRefusal.IssuedInFuture)]
    [InlineData("""{"exp":+600,"iat":+60}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"iat":"now"}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":+600,"sub":1}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":+600,"iss":["a"]}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":+600,"aud":{}}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":+600,"aud":["a",1]}""", AuthRefusal.InvalidClaims)]
    [InlineData("""{"exp":+600,"sub":"a\u0000b"}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"exp":+600,"x":["\ud800"]}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"exp":+600,"exp":+900}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"role":"anon","role":"service_role","exp":+600}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"role":"anon","\u0072ole":"service_role","exp":+600}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"exp":+600,"a":{"b":1,"b":2}}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"exp":+600,}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"exp":+600} {}""", AuthRefusal.MalformedToken)]
    [InlineData("""["exp"]""", AuthRefusal.MalformedToken)]
    [InlineData("""null""", AuthRefusal.MalformedToken)]
    public async Task Claims_are_checked_only_after_the_signature_is_verified(string claims, AuthRefusal expected) =>
        Assert.Equal(expected, await TestTokens.RefusalOf(TestTokens.WithSecret(), TestTokens.Hs256(Claims(claims))));

    [Theory]
    [InlineData("authenticated; reset role")]
    [InlineData("a\\\"b")]
    [InlineData("")]
    [InlineData("1st")]
    [InlineData("röle")]
    [InlineData("pg role")]
    [InlineData("a234567890123456789012345678901234567890123456789012345678901234")]
    public async Task Role_that_is_not_a_plain_identifier_is_refused(string role) =>
        Assert.Equal(
            AuthRefusal.InvalidRole,
            await TestTokens.RefusalOf(TestTokens.WithSecret(), TestTokens.Hs256(Claims($$"""{"role":"{{role}}","exp":+600}""")))
        );

    [Fact]
    public async Task Role_that_is_not_a_string_is_refused_not_replaced_by_the_default() =>
        Assert.Equal(
            AuthRefusal.InvalidRole,
            await TestTokens.RefusalOf(TestTokens.WithSecret(), TestTokens.Hs256(Claims("""{"role":null,"exp":+600}""")))
        );

    [Theory]
    [InlineData("""{"exp":+600,"aud":"app"}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"aud":["other","app"]}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"aud":["other"]}""", AuthRefusal.WrongAudience)]
    [InlineData("""{"exp":+600,"aud":"App"}""", AuthRefusal.WrongAudience)]
    [InlineData("""{"exp":+600,"aud":[]}""", AuthRefusal.WrongAudience)]
    [InlineData("""{"exp":+600}""", AuthRefusal.WrongAudience)]
    public async Task Audience_must_match_when_configured(string claims, AuthRefusal expected) =>
        Assert.Equal(
            expected,
            await TestTokens.RefusalOf(TestTokens.WithSecret(new AuthOptions { Audience = "app" }), TestTokens.Hs256(Claims(claims)))
        );

    [Theory]
    [InlineData("""{"exp":+600,"iss":"https://id.example"}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"iss":"https://id.example/"}""", AuthRefusal.WrongIssuer)]
    [InlineData("""{"exp":+600}""", AuthRefusal.WrongIssuer)]
    public async Task Issuer_must_match_when_configured(string claims, AuthRefusal expected) =>
        Assert.Equal(
            expected,
            await TestTokens.RefusalOf(
                TestTokens.WithSecret(new AuthOptions { Issuer = "https://id.example" }),
                TestTokens.Hs256(Claims(claims))
            )
        );

    [Fact]
    public async Task Token_without_expiry_is_accepted_only_when_configured()
    {
        var verifier = TestTokens.WithSecret(new AuthOptions { RequireExpiry = false });

        var result = await verifier.VerifyAsync(TestTokens.Hs256("""{"role":"authenticated"}"""), default);

        Assert.Null(result.Caller!.ExpiresAt);
    }

    [Fact]
    public async Task Cached_token_expires()
    {
        var time = new ManualTime(TestTokens.Now);
        var verifier = TestTokens.WithSecret(time: time);
        var token = TestTokens.Hs256(TestTokens.GoodClaims);
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, token));

        time.Advance(TimeSpan.FromSeconds(659));
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, token));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(AuthRefusal.Expired, await TestTokens.RefusalOf(verifier, token));
    }

    [Fact]
    public async Task Verifying_a_cached_token_allocates_nothing()
    {
        var verifier = TestTokens.WithSecret();
        var token = TestTokens.Hs256(TestTokens.GoodClaims);
        var first = (await verifier.VerifyAsync(token, default)).Caller;

        const int calls = 1000;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < calls; i++)
        {
            if (!ReferenceEquals(first, (await verifier.VerifyAsync(token, default)).Caller))
                Assert.Fail("A remembered token was verified again.");
        }

        // The first calls are not measured: the runtime allocates when it first runs a method.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, calls);
    }

    [Fact]
    public async Task Error_without_keys_names_the_settings_to_use()
    {
        var verifier = TokenVerifier.Create(
            new AuthOptions(),
            new ManualTime(TestTokens.Now),
            Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance
        );

        var refusal = await TestTokens.RefusalOf(verifier, TestTokens.Hs256(TestTokens.GoodClaims));

        Assert.Equal(AuthRefusal.NoKeyConfigured, refusal);
        Assert.Contains("PGFN_JWT_SECRET", refusal.Message(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_refusal_has_its_own_code_and_message()
    {
        var refusals = Enum.GetValues<AuthRefusal>().Where(r => r != AuthRefusal.None).ToList();

        Assert.Equal(refusals.Count, refusals.Select(r => r.Code()).Distinct().Count());
        Assert.All(refusals, r => Assert.Matches("^PGFN30[0-9]{2}$", r.Code()));
        Assert.All(refusals, r => Assert.NotEmpty(r.Message()));
    }

    [Fact]
    public async Task Verifier_accepts_tokens_of_the_signer()
    {
        var time = new ManualTime(TestTokens.Now);
        var token = new TokenSigner(TestTokens.Secret, time).Sign("authenticated", "user \"1\"", TimeSpan.FromHours(1));

        var caller = (await TestTokens.WithSecret(time: time).VerifyAsync(token, default)).Caller!;

        Assert.Equal("user \"1\"", caller.Subject);
        Assert.Equal(TestTokens.Now.AddHours(1), caller.ExpiresAt);
    }

    /// <summary>Writes <c>+n</c> and <c>-n</c> as seconds from now.</summary>
    private static string Claims(string template) =>
        System.Text.RegularExpressions.Regex.Replace(template, @":([+-]\d+)", m =>
            ":" + (TestTokens.Now.ToUnixTimeSeconds() + int.Parse(m.Groups[1].Value))
        );
}
