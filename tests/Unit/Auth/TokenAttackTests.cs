using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Keys;

namespace Functions.PgSidecar.Tests.Unit.Auth;

/// <summary>Known attacks on JWT libraries.</summary>
public sealed class TokenAttackTests
{
    private const string RsaId = ""","kid":"r1" """;

    private static readonly string RsaJwk = TestTokens.Jwk(TestTokens.Rsa, RsaId);

    [Theory]
    [InlineData("none")]
    [InlineData("None")]
    [InlineData("nOnE")]
    [InlineData("")]
    [InlineData("hs256")]
    [InlineData("HS1")]
    [InlineData("ES512")]
    [InlineData("RSA-OAEP")]
    public async Task Unsigned_tokens_and_unknown_algorithms_are_refused(string alg)
    {
        var unsigned = $"{TestTokens.Encode($$"""{"alg":"{{alg}}"}""")}.{TestTokens.Encode(TestTokens.GoodClaims)}.";

        Assert.Equal(AuthRefusal.UnsupportedAlgorithm, await TestTokens.RefusalOf(TestTokens.WithSecret(), unsigned));
        Assert.Equal(
            AuthRefusal.UnsupportedAlgorithm,
            await TestTokens.RefusalOf(TestTokens.WithSecret(), TestTokens.Hs256(TestTokens.GoodClaims, $$"""{"alg":"{{alg}}"}"""))
        );
    }

    [Fact]
    public async Task A_public_key_does_not_serve_as_an_hmac_secret()
    {
        var verifier = TestTokens.WithJwks(RsaJwk);

        foreach (var secret in new[] { TestTokens.Rsa.ExportSubjectPublicKeyInfoPem(), TestTokens.Rsa.ExportRSAPublicKeyPem(), RsaJwk })
            Assert.Equal(
                AuthRefusal.UnknownKey,
                await TestTokens.RefusalOf(verifier, TestTokens.Hs256(TestTokens.GoodClaims, """{"alg":"HS256","kid":"r1"}""", secret))
            );
    }

    [Fact]
    public void Public_key_is_refused_as_the_secret_setting()
    {
        Assert.Equal(
            "PGFN3040",
            Assert.Throws<SidecarException>(() => JwtSecret.Parse(TestTokens.Rsa.ExportSubjectPublicKeyInfoPem())).Code
        );
        Assert.Equal("PGFN3040", Assert.Throws<SidecarException>(() => JwtSecret.Parse("""{"keys":[{"kty":"oct","k":"abc"}]}""")).Code);
    }

    [Fact]
    public async Task A_key_verifies_only_the_algorithm_its_jwk_names()
    {
        var verifier = TestTokens.WithJwks(TestTokens.Jwk(TestTokens.Rsa, ""","kid":"r1","alg":"RS256" """));
        byte[] Pss(byte[] data) => TestTokens.Rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pss);

        Assert.Equal(
            AuthRefusal.UnknownKey,
            await TestTokens.RefusalOf(verifier, TestTokens.Token("""{"alg":"PS256","kid":"r1"}""", TestTokens.GoodClaims, Pss))
        );
    }

    [Fact]
    public async Task A_token_cannot_bring_its_own_key()
    {
        using var mine = RSA.Create(2048);
        var header = $$"""{"alg":"RS256","kid":"r1","jwk":{{TestTokens.Jwk(mine, "")}},"jku":"https://evil.example/jwks","x5c":["AA=="]}""";
        var token = TestTokens.Token(header, TestTokens.GoodClaims, data =>
            mine.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
        );

        Assert.Equal(AuthRefusal.BadSignature, await TestTokens.RefusalOf(TestTokens.WithJwks(RsaJwk), token));
    }

    [Theory]
    [InlineData("../../../../dev/null")]
    [InlineData("' or 1=1 --")]
    [InlineData("r2")]
    public async Task Kid_is_only_compared_with_the_names_of_keys(string kid) =>
        Assert.Equal(
            AuthRefusal.UnknownKey,
            await TestTokens.RefusalOf(
                TestTokens.WithJwks(RsaJwk),
                TestTokens.Token($$"""{"alg":"RS256","kid":"{{kid}}"}""", TestTokens.GoodClaims, data =>
                    TestTokens.Rsa.SignData(data, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
                )
            )
        );

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
    public async Task Header_is_parsed_strictly(string header, AuthRefusal expected) =>
        Assert.Equal(expected, await TestTokens.RefusalOf(TestTokens.WithSecret(), TestTokens.Hs256(TestTokens.GoodClaims, header)));

    [Fact]
    public async Task Changing_any_byte_of_a_token_invalidates_it()
    {
        var token = TestTokens.Hs256(TestTokens.GoodClaims);
        var verifier = TestTokens.WithSecret();
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, token));

        for (var i = 0; i < token.Length; i++)
        {
            var changed = token.ToCharArray();
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            Assert.NotEqual(AuthRefusal.None, await TestTokens.RefusalOf(verifier, new string(changed)));
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
    public async Task Other_encodings_of_a_valid_token_are_malformed(string template)
    {
        var parts = TestTokens.Hs256(TestTokens.GoodClaims).Split('.');
        var token = template.Replace("{h}", parts[0]).Replace("{p}", parts[1]).Replace("{s}", parts[2]);

        Assert.Equal(AuthRefusal.MalformedToken, await TestTokens.RefusalOf(TestTokens.WithSecret(), token));
    }

    [Fact]
    public async Task Signature_has_only_one_valid_encoding()
    {
        var token = TestTokens.Hs256(TestTokens.GoodClaims);
        // 32 bytes leave two unused bits in the last symbol; four spellings decode to the same bytes.
        const string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        var sibling = token[..^1] + alphabet[alphabet.IndexOf(token[^1]) ^ 1];

        Assert.Equal(AuthRefusal.MalformedToken, await TestTokens.RefusalOf(TestTokens.WithSecret(), sibling));
    }

    [Fact]
    public async Task Oversized_token_is_refused_before_parsing() =>
        Assert.Equal(AuthRefusal.TokenTooLarge, await TestTokens.RefusalOf(TestTokens.WithSecret(), new string('a', 8193)));

    [Fact]
    public async Task Claims_in_invalid_utf8_are_refused()
    {
        var payload = Encoding.Latin1.GetBytes("""{"exp":1800000600,"sub":"é"}""");
        var input = $"{TestTokens.Encode("""{"alg":"HS256"}""")}.{TestTokens.Encode(payload)}";
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(TestTokens.Secret), Encoding.ASCII.GetBytes(input));

        Assert.Equal(
            AuthRefusal.MalformedToken,
            await TestTokens.RefusalOf(TestTokens.WithSecret(), $"{input}.{TestTokens.Encode(signature)}")
        );
    }

    [Fact]
    public async Task A_truncated_or_extended_hmac_does_not_verify()
    {
        foreach (var length in new[] { 1, 16, 31, 33, 64 })
        {
            var token = TestTokens.Token("""{"alg":"HS256"}""", TestTokens.GoodClaims, data =>
            {
                var mac = HMACSHA256.HashData(Encoding.UTF8.GetBytes(TestTokens.Secret), data);
                Array.Resize(ref mac, length);
                return mac;
            });
            Assert.Equal(AuthRefusal.BadSignature, await TestTokens.RefusalOf(TestTokens.WithSecret(), token));
        }
    }

    [Fact]
    public async Task Zero_and_DER_signatures_are_not_valid_ECDSA_signatures()
    {
        var verifier = TestTokens.WithJwks(TestTokens.Jwk(TestTokens.P256, "P-256", ""));

        Assert.Equal(
            AuthRefusal.BadSignature,
            await TestTokens.RefusalOf(verifier, TestTokens.Token("""{"alg":"ES256"}""", TestTokens.GoodClaims, _ => new byte[64]))
        );
        Assert.Equal(
            AuthRefusal.BadSignature,
            await TestTokens.RefusalOf(
                verifier,
                TestTokens.Token("""{"alg":"ES256"}""", TestTokens.GoodClaims, data =>
                    TestTokens.P256.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)
                )
            )
        );
        Assert.Equal(
            AuthRefusal.UnknownKey,
            await TestTokens.RefusalOf(
                verifier,
                TestTokens.Token("""{"alg":"ES384"}""", TestTokens.GoodClaims, data =>
                    TestTokens.P384.SignData(data, HashAlgorithmName.SHA384)
                )
            )
        );
    }

    [Fact]
    public async Task Error_messages_never_contain_the_token()
    {
        const string marker = "c2VjcmV0LW1hcmtlcg";
        foreach (
            var token in new[] { marker, $"{marker}.{marker}.{marker}", TestTokens.Hs256(TestTokens.GoodClaims, secret: marker + marker) }
        )
            Assert.DoesNotContain(
                marker,
                (await TestTokens.RefusalOf(TestTokens.WithSecret(), token)).ToException().Message,
                StringComparison.Ordinal
            );
    }
}
