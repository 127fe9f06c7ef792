using System.Text;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Tests.Unit.Auth;

public sealed class TokenVerifierTests
{
    [Fact]
    public async Task A_good_token_yields_its_role_subject_claims_and_expiry()
    {
        var result = await Forge.WithSecret().VerifyAsync(Forge.Hs256(Forge.GoodClaims), default);

        var caller = Assert.IsType<Caller>(result.Caller);
        Assert.Equal("authenticated", caller.Role);
        Assert.Equal("u1", caller.Subject);
        Assert.Equal(Forge.GoodClaims, Encoding.UTF8.GetString(caller.ClaimsJson.Span));
        Assert.Equal(Forge.Now.AddSeconds(600), caller.ExpiresAt);
    }

    [Fact]
    public async Task A_token_that_names_no_role_gets_the_least_one_and_keeps_its_subject()
    {
        var result = await Forge.WithSecret().VerifyAsync(Forge.Hs256(Claims("""{"sub":"u1","exp":+600}""")), default);

        Assert.Equal("anon", result.Caller!.Role);
        Assert.Equal("u1", result.Caller.Subject);
    }

    [Fact]
    public async Task The_role_claim_can_have_another_name()
    {
        var verifier = Forge.WithSecret(new AuthOptions { RoleClaim = "pg_role", DefaultRole = "guest" });

        Assert.Equal("editor", (await verifier.VerifyAsync(Forge.Hs256(Claims("""{"pg_role":"editor","exp":+600}""")), default)).Caller!.Role);
        Assert.Equal("guest", (await verifier.VerifyAsync(Forge.Hs256(Claims("""{"role":"service_role","exp":+600}""")), default)).Caller!.Role);
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
        var verifier = Forge.WithSecret(new AuthOptions { RoleClaim = setting });

        Assert.Equal(role, (await verifier.VerifyAsync(Forge.Hs256(Claims(claims)), default)).Caller!.Role);
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
    public async Task Of_a_list_of_roles_the_first_that_the_setting_names_counts(string roles, string? expected)
    {
        var verifier = Forge.WithSecret(new AuthOptions { RoleClaim = "realm_access.roles", TokenRoles = ["editor", "viewer"] });
        var token = Forge.Hs256(Claims($$"""{"realm_access":{"roles":{{roles}}},"exp":+600}"""));

        var result = await verifier.VerifyAsync(token, default);

        Assert.Equal(expected, result.Caller?.Role);
        Assert.Equal(expected is null ? AuthRefusal.InvalidRole : AuthRefusal.None, await Forge.RefusalOf(verifier, token));
    }

    [Fact]
    public async Task A_list_of_roles_is_refused_where_no_setting_says_which_count() =>
        Assert.Equal(AuthRefusal.InvalidRole, await Forge.RefusalOf(
            Forge.WithSecret(new AuthOptions { RoleClaim = "roles" }), Forge.Hs256(Claims("""{"roles":["editor"],"exp":+600}"""))));

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
    public async Task Claims_are_checked_after_a_good_signature(string claims, AuthRefusal expected) =>
        Assert.Equal(expected, await Forge.RefusalOf(Forge.WithSecret(), Forge.Hs256(Claims(claims))));

    [Theory]
    [InlineData("authenticated; reset role")]
    [InlineData("a\\\"b")]
    [InlineData("")]
    [InlineData("1st")]
    [InlineData("röle")]
    [InlineData("pg role")]
    [InlineData("a234567890123456789012345678901234567890123456789012345678901234")]
    public async Task A_role_that_is_no_plain_identifier_is_refused(string role) =>
        Assert.Equal(AuthRefusal.InvalidRole, await Forge.RefusalOf(Forge.WithSecret(), Forge.Hs256(Claims($$"""{"role":"{{role}}","exp":+600}"""))));

    [Fact]
    public async Task A_role_that_is_no_text_is_refused_and_not_replaced_by_the_default() =>
        Assert.Equal(AuthRefusal.InvalidRole, await Forge.RefusalOf(Forge.WithSecret(), Forge.Hs256(Claims("""{"role":null,"exp":+600}"""))));

    [Theory]
    [InlineData("""{"exp":+600,"aud":"app"}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"aud":["other","app"]}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"aud":["other"]}""", AuthRefusal.WrongAudience)]
    [InlineData("""{"exp":+600,"aud":"App"}""", AuthRefusal.WrongAudience)]
    [InlineData("""{"exp":+600,"aud":[]}""", AuthRefusal.WrongAudience)]
    [InlineData("""{"exp":+600}""", AuthRefusal.WrongAudience)]
    public async Task The_audience_must_match_where_one_is_set(string claims, AuthRefusal expected) =>
        Assert.Equal(expected, await Forge.RefusalOf(Forge.WithSecret(new AuthOptions { Audience = "app" }), Forge.Hs256(Claims(claims))));

    [Theory]
    [InlineData("""{"exp":+600,"iss":"https://id.example"}""", AuthRefusal.None)]
    [InlineData("""{"exp":+600,"iss":"https://id.example/"}""", AuthRefusal.WrongIssuer)]
    [InlineData("""{"exp":+600}""", AuthRefusal.WrongIssuer)]
    public async Task The_issuer_must_match_where_one_is_set(string claims, AuthRefusal expected) =>
        Assert.Equal(expected, await Forge.RefusalOf(Forge.WithSecret(new AuthOptions { Issuer = "https://id.example" }), Forge.Hs256(Claims(claims))));

    [Fact]
    public async Task A_token_without_expiry_passes_only_where_the_operator_says_so()
    {
        var verifier = Forge.WithSecret(new AuthOptions { RequireExpiry = false });

        var result = await verifier.VerifyAsync(Forge.Hs256("""{"role":"authenticated"}"""), default);

        Assert.Null(result.Caller!.ExpiresAt);
    }

    [Fact]
    public async Task A_remembered_token_expires_like_any_other()
    {
        var time = new ManualTime(Forge.Now);
        var verifier = Forge.WithSecret(time: time);
        var token = Forge.Hs256(Forge.GoodClaims);
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, token));

        time.Advance(TimeSpan.FromSeconds(659));
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, token));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(AuthRefusal.Expired, await Forge.RefusalOf(verifier, token));
    }

    [Fact]
    public async Task A_remembered_token_allocates_nothing()
    {
        var verifier = Forge.WithSecret();
        var token = Forge.Hs256(Forge.GoodClaims);
        var first = (await verifier.VerifyAsync(token, default)).Caller;

        const int calls = 1000;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < calls; i++)
        {
            if (!ReferenceEquals(first, (await verifier.VerifyAsync(token, default)).Caller))
                Assert.Fail("A remembered token was verified again.");
        }

        // What the runtime allocates once when it first runs a method is not the calls'.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, calls);
    }

    [Fact]
    public async Task A_verifier_without_keys_says_which_settings_give_it_some()
    {
        var verifier = TokenVerifier.Create(new AuthOptions(), new ManualTime(Forge.Now), Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);

        var refusal = await Forge.RefusalOf(verifier, Forge.Hs256(Forge.GoodClaims));

        Assert.Equal(AuthRefusal.NoKeyConfigured, refusal);
        Assert.Contains("PGFN_JWT_SECRET", refusal.Message(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_refusal_has_a_code_of_its_own_and_a_message()
    {
        var refusals = Enum.GetValues<AuthRefusal>().Where(r => r != AuthRefusal.None).ToList();

        Assert.Equal(refusals.Count, refusals.Select(r => r.Code()).Distinct().Count());
        Assert.All(refusals, r => Assert.Matches("^PGFN30[0-9]{2}$", r.Code()));
        Assert.All(refusals, r => Assert.NotEmpty(r.Message()));
    }

    [Fact]
    public async Task The_signer_makes_tokens_that_the_verifier_takes()
    {
        var time = new ManualTime(Forge.Now);
        var token = new TokenSigner(Forge.Secret, time).Sign("authenticated", "user \"1\"", TimeSpan.FromHours(1));

        var caller = (await Forge.WithSecret(time: time).VerifyAsync(token, default)).Caller!;

        Assert.Equal("user \"1\"", caller.Subject);
        Assert.Equal(Forge.Now.AddHours(1), caller.ExpiresAt);
    }

    /// <summary>Writes <c>+n</c> and <c>-n</c> as seconds from now.</summary>
    private static string Claims(string template) =>
        System.Text.RegularExpressions.Regex.Replace(template, @":([+-]\d+)", m => ":" + (Forge.Now.ToUnixTimeSeconds() + int.Parse(m.Groups[1].Value)));
}
