using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Keys;
using Microsoft.Extensions.Logging.Abstractions;

namespace Functions.PgSidecar.Tests.Unit.Auth;

public sealed class KeySetTests
{
    private static readonly string Token = Forge.Token("""{"alg":"RS256","kid":"k2"}""", Forge.GoodClaims,
        data => Forge.Rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

    private readonly ManualTime time = new(Forge.Now);
    private Func<string> publish = () => throw new HttpRequestException("down");
    private int loads;

    [Fact]
    public async Task Keys_are_loaded_when_first_needed_and_then_held()
    {
        publish = () => Set("k2");
        var verifier = Verifier();

        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, Token));
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, Token + ""));

        Assert.Equal(1, loads);
    }

    [Fact]
    public async Task An_unknown_kid_loads_the_keys_again_but_no_faster_than_the_floor()
    {
        publish = () => Set("k1");
        var verifier = Verifier();
        Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(verifier, Token));

        publish = () => Set("k2");
        for (var i = 0; i < 100; i++)
            Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(verifier, Token));
        Assert.Equal(1, loads);

        time.Advance(KeySource.RefreshFloor);
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, Token));
        Assert.Equal(2, loads);
    }

    [Fact]
    public async Task A_publisher_that_was_never_reached_is_our_fault_not_the_callers()
    {
        var refusal = await Forge.RefusalOf(Verifier(), Token);

        Assert.Equal(AuthRefusal.KeysUnavailable, refusal);
        Assert.Equal(503, refusal.Status());
    }

    [Fact]
    public async Task The_last_keys_hold_while_the_publisher_is_down()
    {
        publish = () => Set("k2");
        var source = Source();
        var verifier = new TokenVerifier(new AuthOptions(), source, time);
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, Token));

        publish = () => throw new HttpRequestException("down");
        time.Advance(KeySource.RefreshFloor);
        await source.RefreshAsync();

        Assert.Equal(2, loads);
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, Token));
    }

    [Fact]
    public async Task A_withdrawn_key_takes_its_remembered_tokens_with_it()
    {
        publish = () => Set("k2");
        var source = Source();
        var verifier = new TokenVerifier(new AuthOptions(), source, time);
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, Token));

        publish = () => Set("k3");
        time.Advance(KeySource.RefreshFloor);
        await source.RefreshAsync();

        Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(verifier, Token));
    }

    [Fact]
    public async Task Keys_that_have_grown_old_are_loaded_again_without_anybody_waiting()
    {
        publish = () => Set("k2");
        var source = Source();
        var first = await source.RefreshAsync();

        time.Advance(KeySource.RefreshInterval);
        Assert.Same(first, source.Current);

        Assert.NotSame(first, await source.RefreshAsync());
        Assert.Equal(2, loads);
    }

    [Fact]
    public async Task The_shared_secret_works_while_the_publisher_is_down()
    {
        var source = new KeySource([new HmacKey(Encoding.UTF8.GetBytes(Forge.Secret))], LoadAsync, time, NullLogger.Instance);

        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(new TokenVerifier(new AuthOptions(), source, time), Forge.Hs256(Forge.GoodClaims)));
        Assert.Equal(0, loads);
    }

    [Theory]
    [InlineData(""","use":"enc" """)]
    [InlineData(""","key_ops":["encrypt"] """)]
    [InlineData(""","key_ops":"verify" """)]
    [InlineData(""","alg":"RSA-OAEP" """)]
    [InlineData(""","alg":7 """)]
    public void A_key_for_another_purpose_is_skipped(string extra) =>
        Assert.Empty(Parse(Forge.Jwk(Forge.Rsa, extra)));

    [Theory]
    [InlineData(""","use":"sig" """)]
    [InlineData(""","key_ops":["verify"] """)]
    [InlineData(""","x5t":"whatever","x5c":[] """)]
    public void A_key_for_signatures_is_taken(string extra) =>
        Assert.Single(Parse(Forge.Jwk(Forge.Rsa, extra)));

    [Fact]
    public void A_shared_secret_in_a_published_set_is_no_secret_and_no_key()
    {
        var jwk = $$"""{"kty":"oct","k":"{{Forge.Encode(new byte[32])}}"}""";

        Assert.Empty(Parse(jwk));
        Assert.Single(Parse(jwk, allowSecrets: true));
    }

    [Fact]
    public void Weak_broken_and_foreign_keys_are_skipped()
    {
        using var weak = RSA.Create(1024);

        Assert.Empty(Parse(Forge.Jwk(weak, "")));
        Assert.Empty(Parse("""{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}"""));
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
    public void A_document_that_is_no_key_set_is_an_error(string document) =>
        Assert.Throws<FormatException>(() => JsonWebKeySet.Parse(Encoding.UTF8.GetBytes(document), allowSecrets: false));

    [Fact]
    public void A_set_of_too_many_keys_is_an_error() =>
        Assert.Throws<FormatException>(() => Parse(string.Join(',', Enumerable.Repeat("{}", JsonWebKeySet.MaxKeys + 1))));

    [Fact]
    public async Task A_file_is_read_and_a_missing_one_is_an_outage()
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

    private static string Set(string kid) => $$"""{"keys":[{{Forge.Jwk(Forge.Rsa, $$""","kid":"{{kid}}" """)}}]}""";

    private static IReadOnlyList<VerificationKey> Parse(string keys, bool allowSecrets = false) =>
        JsonWebKeySet.Parse(Encoding.UTF8.GetBytes($$"""{"keys":[{{keys}}]}"""), allowSecrets);
}
