using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Keys;
using Microsoft.Extensions.Logging.Abstractions;

namespace Functions.PgSidecar.Tests.Unit.Auth;

public sealed class KeySetTests
{
    private static readonly string Token = TestTokens.Token("""{"alg":"RS256","kid":"k2"}""", TestTokens.GoodClaims, data =>
        TestTokens.Rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
    );

    private readonly ManualTime time = new(TestTokens.Now);
    private Func<string> publish = () => throw new HttpRequestException("down");
    private int loads;

    [Fact]
    public async Task Keys_are_loaded_on_first_use_and_cached()
    {
        publish = () => Set("k2");
        var verifier = Verifier();

        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, Token));
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, Token + ""));

        Assert.Equal(1, loads);
    }

    [Fact]
    public async Task Unknown_kid_reloads_the_keys_within_the_rate_limit()
    {
        publish = () => Set("k1");
        var verifier = Verifier();
        Assert.Equal(AuthRefusal.UnknownKey, await TestTokens.RefusalOf(verifier, Token));

        publish = () => Set("k2");
        for (var i = 0; i < 100; i++)
            Assert.Equal(AuthRefusal.UnknownKey, await TestTokens.RefusalOf(verifier, Token));
        Assert.Equal(1, loads);

        time.Advance(KeySource.RefreshFloor);
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, Token));
        Assert.Equal(2, loads);
    }

    [Fact]
    public async Task Unreachable_key_server_is_a_server_error_not_a_bad_token()
    {
        var refusal = await TestTokens.RefusalOf(Verifier(), Token);

        Assert.Equal(AuthRefusal.KeysUnavailable, refusal);
        Assert.Equal(503, refusal.Status());
    }

    [Fact]
    public async Task Cached_keys_stay_valid_while_the_key_server_is_down()
    {
        publish = () => Set("k2");
        var source = Source();
        var verifier = new TokenVerifier(new AuthOptions(), source, time);
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, Token));

        publish = () => throw new HttpRequestException("down");
        time.Advance(KeySource.RefreshFloor);
        await source.RefreshAsync();

        Assert.Equal(2, loads);
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, Token));
    }

    [Fact]
    public async Task Withdrawn_key_invalidates_its_cached_tokens()
    {
        publish = () => Set("k2");
        var source = Source();
        var verifier = new TokenVerifier(new AuthOptions(), source, time);
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, Token));

        publish = () => Set("k3");
        time.Advance(KeySource.RefreshFloor);
        await source.RefreshAsync();

        Assert.Equal(AuthRefusal.UnknownKey, await TestTokens.RefusalOf(verifier, Token));
    }

    [Fact]
    public async Task Stale_keys_are_reloaded_in_the_background()
    {
        publish = () => Set("k2");
        var source = Source();
        var first = await source.RefreshAsync();

        using var answer = new ManualResetEventSlim();
        publish = () =>
        {
            answer.Wait();
            return Set("k2");
        };
        time.Advance(KeySource.RefreshInterval);
        Assert.Same(first, source.Current);

        answer.Set();
        Assert.NotSame(first, await source.RefreshAsync());
        Assert.Equal(2, loads);
    }

    [Fact]
    public async Task Shared_secret_works_while_the_key_server_is_down()
    {
        var source = new KeySource([new HmacKey(Encoding.UTF8.GetBytes(TestTokens.Secret))], LoadAsync, time, NullLogger.Instance);

        Assert.Equal(
            AuthRefusal.None,
            await TestTokens.RefusalOf(new TokenVerifier(new AuthOptions(), source, time), TestTokens.Hs256(TestTokens.GoodClaims))
        );
        Assert.Equal(0, loads);
    }

    [Theory]
    [InlineData(""","use":"enc" """)]
    [InlineData(""","key_ops":["encrypt"] """)]
    [InlineData(""","key_ops":"verify" """)]
    [InlineData(""","alg":"RSA-OAEP" """)]
    [InlineData(""","alg":7 """)]
    public void Key_for_another_use_is_skipped(string extra) => Assert.Empty(Parse(TestTokens.Jwk(TestTokens.Rsa, extra)));

    [Theory]
    [InlineData(""","use":"sig" """)]
    [InlineData(""","key_ops":["verify"] """)]
    [InlineData(""","x5t":"whatever","x5c":[] """)]
    public void Key_for_signatures_is_accepted(string extra) => Assert.Single(Parse(TestTokens.Jwk(TestTokens.Rsa, extra)));

    [Fact]
    public void Symmetric_key_in_a_published_set_is_ignored()
    {
        var jwk = $$"""{"kty":"oct","k":"{{TestTokens.Encode(new byte[32])}}"}""";

        Assert.Empty(Parse(jwk));
        Assert.Single(Parse(jwk, allowSecrets: true));
    }

    [Fact]
    public void Weak_malformed_and_unsupported_keys_are_skipped()
    {
        using var weak = RSA.Create(1024);

        Assert.Empty(Parse(TestTokens.Jwk(weak, "")));
        Assert.Empty(
            Parse(
                """{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}"""
            )
        );
        Assert.Empty(Parse("""{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"""));
        Assert.Empty(Parse("""{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"""));
        Assert.Empty(Parse("""{"kty":"oct","k":"c2hvcnQ"}""", allowSecrets: true));
        Assert.Empty(Parse("""{"kty":"future"},"no object",7"""));
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html>")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"keys":{}}""")]
    [InlineData("""{"keys":[],"keys":[]}""")]
    public void Document_that_is_not_a_key_set_is_an_error(string document) =>
        Assert.Throws<FormatException>(() => JsonWebKeySet.Parse(Encoding.UTF8.GetBytes(document), allowSecrets: false));

    [Fact]
    public void Set_of_too_many_keys_is_an_error() =>
        Assert.Throws<FormatException>(() => Parse(string.Join(',', Enumerable.Repeat("{}", JsonWebKeySet.MaxKeys + 1))));

    [Fact]
    public async Task Missing_key_file_counts_as_an_unavailable_key_server()
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, Set("k2"));
            Assert.Single(await KeySetLoaders.FromFile(path)(default));
        }
        finally
        {
            File.Delete(path);
        }

        await Assert.ThrowsAsync<FileNotFoundException>(() => KeySetLoaders.FromFile(path)(default));
    }

    private TokenVerifier Verifier() => new(new AuthOptions(), Source(), time);

    private KeySource Source() => new([], LoadAsync, time, NullLogger.Instance);

    private async Task<IReadOnlyList<VerificationKey>> LoadAsync(CancellationToken cancellationToken)
    {
        await Task.Yield();
        Interlocked.Increment(ref loads);
        return JsonWebKeySet.Parse(Encoding.UTF8.GetBytes(publish()), allowSecrets: false);
    }

    private static string Set(string kid) => $$"""{"keys":[{{TestTokens.Jwk(TestTokens.Rsa, $$""","kid":"{{kid}}" """)}}]}""";

    private static IReadOnlyList<VerificationKey> Parse(string keys, bool allowSecrets = false) =>
        JsonWebKeySet.Parse(Encoding.UTF8.GetBytes($$"""{"keys":[{{keys}}]}"""), allowSecrets);
}
