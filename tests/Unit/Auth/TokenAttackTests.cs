using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Keys;

namespace Functions.PgSidecar.Tests.Unit.Auth;

/// <summary>What is known to have been done to JWT libraries, done to this one.</summary>
public sealed class TokenAttackTests
{
    private const string RsaId = ""","kid":"r1" """;

    private static readonly string RsaJwk = Forge.Jwk(Forge.Rsa, RsaId);

    [Theory]
    [InlineData("none")]
    [InlineData("None")]
    [InlineData("nOnE")]
    [InlineData("")]
    [InlineData("hs256")]
    [InlineData("HS1")]
    [InlineData("ES512")]
    [InlineData("RSA-OAEP")]
    public async Task An_unsigned_or_unknown_algorithm_is_refused(string alg)
    {
        var unsigned = $"{Forge.Encode($$"""{"alg":"{{alg}}"}""")}.{Forge.Encode(Forge.GoodClaims)}.";

        Assert.Equal(AuthRefusal.UnsupportedAlgorithm, await Forge.RefusalOf(Forge.WithSecret(), unsigned));
        Assert.Equal(AuthRefusal.UnsupportedAlgorithm, await Forge.RefusalOf(Forge.WithSecret(), Forge.Hs256(Forge.GoodClaims, $$"""{"alg":"{{alg}}"}""")));
    }

    [Fact]
    public async Task A_public_key_does_not_serve_as_an_hmac_secret()
    {
        var verifier = Forge.WithJwks(RsaJwk);

        foreach (var secret in new[] { Forge.Rsa.ExportSubjectPublicKeyInfoPem(), Forge.Rsa.ExportRSAPublicKeyPem(), RsaJwk })
            Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(verifier, Forge.Hs256(Forge.GoodClaims, """{"alg":"HS256","kid":"r1"}""", secret)));
    }

    [Fact]
    public void A_public_key_is_not_taken_for_the_secret_setting()
    {
        Assert.Equal("PGFN3040", Assert.Throws<SidecarException>(() => JwtSecret.Parse(Forge.Rsa.ExportSubjectPublicKeyInfoPem())).Code);
        Assert.Equal("PGFN3040", Assert.Throws<SidecarException>(() => JwtSecret.Parse("""{"keys":[{"kty":"oct","k":"abc"}]}""")).Code);
    }

    [Fact]
    public async Task A_key_verifies_only_the_algorithm_its_jwk_names()
    {
        var verifier = Forge.WithJwks(Forge.Jwk(Forge.Rsa, ""","kid":"r1","alg":"RS256" """));
        byte[] Pss(byte[] data) => Forge.Rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pss);

        Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(verifier, Forge.Token("""{"alg":"PS256","kid":"r1"}""", Forge.GoodClaims, Pss)));
    }

    [Fact]
    public async Task A_token_cannot_bring_its_own_key()
    {
        using var mine = RSA.Create(2048);
        var header = $$"""{"alg":"RS256","kid":"r1","jwk":{{Forge.Jwk(mine, "")}},"jku":"https://evil.example/jwks","x5c":["AA=="]}""";
        var token = Forge.Token(header, Forge.GoodClaims, data => mine.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

        Assert.Equal(AuthRefusal.BadSignature, await Forge.RefusalOf(Forge.WithJwks(RsaJwk), token));
    }

    [Theory]
    [InlineData("../../../../dev/null")]
    [InlineData("' or 1=1 --")]
    [InlineData("r2")]
    public async Task A_kid_is_a_name_and_nothing_else(string kid) =>
        Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(Forge.WithJwks(RsaJwk), Forge.Token($$"""{"alg":"RS256","kid":"{{kid}}"}""", Forge.GoodClaims,
            data => Forge.Rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))));

    [Theory]
    [InlineData("""{"alg":"HS256","crit":["exp"]}""", AuthRefusal.UnsupportedHeader)]
    [InlineData("""{"alg":"HS256","crit":[]}""", AuthRefusal.UnsupportedHeader)]
    [InlineData("""{"alg":"HS256","b64":false,"crit":["b64"]}""", AuthRefusal.UnsupportedHeader)]
    [InlineData("""{"alg":"HS256","typ":"logout+jwt"}""", AuthRefusal.UnsupportedHeader)]
    [InlineData("""{"alg":"HS256","typ":"dpop+jwt"}""", AuthRefusal.UnsupportedHeader)]
    [InlineData("""{"alg":"HS256","typ":1}""", AuthRefusal.UnsupportedHeader)]
    [InlineData("""{"alg":"HS256","typ":"jwt"}""", AuthRefusal.None)]
    [InlineData("""{"alg":"HS256","typ":"at+jwt"}""", AuthRefusal.None)]
    [InlineData("""{"alg":"HS256"}""", AuthRefusal.None)]
    [InlineData("""{"alg":"HS256","kid":7}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"alg":"HS256","kid":"any"}""", AuthRefusal.None)]
    [InlineData("""{"alg":"none","alg":"HS256"}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"alg":["HS256"]}""", AuthRefusal.MalformedToken)]
    [InlineData("""{"typ":"JWT"}""", AuthRefusal.MalformedToken)]
    [InlineData("""[]""", AuthRefusal.MalformedToken)]
    [InlineData("""{"alg":"HS256"}x""", AuthRefusal.MalformedToken)]
    public async Task The_header_is_read_strictly(string header, AuthRefusal expected) =>
        Assert.Equal(expected, await Forge.RefusalOf(Forge.WithSecret(), Forge.Hs256(Forge.GoodClaims, header)));

    [Fact]
    public async Task Any_changed_byte_of_a_token_is_noticed()
    {
        var token = Forge.Hs256(Forge.GoodClaims);
        var verifier = Forge.WithSecret();
        Assert.Equal(AuthRefusal.None, await Forge.RefusalOf(verifier, token));

        for (var i = 0; i < token.Length; i++)
        {
            var changed = token.ToCharArray();
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            Assert.NotEqual(AuthRefusal.None, await Forge.RefusalOf(verifier, new string(changed)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a")]
    [InlineData("a.b")]
    [InlineData("{h}.{p}")]
    [InlineData("{h}.{p}.")]
    [InlineData(".{p}.{s}")]
    [InlineData("{h}.{p}.{s}.")]
    [InlineData("{h}.{p}.{s}.{s}.{s}")]
    [InlineData("{h}.{p}.{s}=")]
    [InlineData("{h}.{p}.{s} ")]
    [InlineData(" {h}.{p}.{s}")]
    [InlineData("{h}.{p}.{s}\n")]
    [InlineData("{h}\n.{p}.{s}")]
    [InlineData("{h}.{p}.+/{s}")]
    [InlineData("{h}.{p}.é{s}")]
    [InlineData("{h}.{p}.\0{s}")]
    public async Task Other_spellings_and_shapes_of_a_good_token_are_malformed(string template)
    {
        var parts = Forge.Hs256(Forge.GoodClaims).Split('.');
        var token = template.Replace("{h}", parts[0]).Replace("{p}", parts[1]).Replace("{s}", parts[2]);

        Assert.Equal(AuthRefusal.MalformedToken, await Forge.RefusalOf(Forge.WithSecret(), token));
    }

    [Fact]
    public async Task A_signature_has_one_spelling_only()
    {
        var token = Forge.Hs256(Forge.GoodClaims);
        // 32 bytes leave two unused bits in the last symbol; four spellings decode to the same bytes.
        const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        var sibling = token[..^1] + alphabet[alphabet.IndexOf(token[^1]) ^ 1];

        Assert.Equal(AuthRefusal.MalformedToken, await Forge.RefusalOf(Forge.WithSecret(), sibling));
    }

    [Fact]
    public async Task An_oversize_token_is_refused_before_it_is_read() =>
        Assert.Equal(AuthRefusal.TokenTooLarge, await Forge.RefusalOf(Forge.WithSecret(), new string('a', 8193)));

    [Fact]
    public async Task Claims_in_invalid_utf8_are_refused()
    {
        var payload = Encoding.Latin1.GetBytes("""{"exp":1800000600,"sub":"é"}""");
        var input = $"{Forge.Encode("""{"alg":"HS256"}""")}.{Forge.Encode(payload)}";
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Forge.Secret), Encoding.ASCII.GetBytes(input));

        Assert.Equal(AuthRefusal.MalformedToken, await Forge.RefusalOf(Forge.WithSecret(), $"{input}.{Forge.Encode(signature)}"));
    }

    [Fact]
    public async Task A_truncated_or_extended_hmac_does_not_verify()
    {
        foreach (var length in new[] { 1, 16, 31, 33, 64 })
        {
            var token = Forge.Token("""{"alg":"HS256"}""", Forge.GoodClaims, data =>
            {
                var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Forge.Secret), data);
                Array.Resize(ref mac, length);
                return mac;
            });
            Assert.Equal(AuthRefusal.BadSignature, await Forge.RefusalOf(Forge.WithSecret(), token));
        }
    }

    [Fact]
    public async Task Zero_and_der_signatures_are_no_ecdsa_signatures()
    {
        var verifier = Forge.WithJwks(Forge.Jwk(Forge.P256, "P-256", ""));

        Assert.Equal(AuthRefusal.BadSignature, await Forge.RefusalOf(verifier, Forge.Token("""{"alg":"ES256"}""", Forge.GoodClaims, _ => new byte[64])));
        Assert.Equal(AuthRefusal.BadSignature, await Forge.RefusalOf(verifier, Forge.Token("""{"alg":"ES256"}""", Forge.GoodClaims,
            data => Forge.P256.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence))));
        Assert.Equal(AuthRefusal.UnknownKey, await Forge.RefusalOf(verifier, Forge.Token("""{"alg":"ES384"}""", Forge.GoodClaims,
            data => Forge.P384.SignData(data, HashAlgorithmName.SHA384))));
    }

    [Fact]
    public async Task No_refusal_repeats_the_token()
    {
        const string marker = "c2VjcmV0LW1hcmtlcg";
        foreach (var token in new[] { marker, $"{marker}.{marker}.{marker}", Forge.Hs256(Forge.GoodClaims, secret: marker + marker) })
            Assert.DoesNotContain(marker, (await Forge.RefusalOf(Forge.WithSecret(), token)).ToException().Message, StringComparison.Ordinal);
    }
}
