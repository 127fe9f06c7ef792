using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Jwt;
using Functions.PgSidecar.Core.Auth.Keys;
using Microsoft.Extensions.Logging.Abstractions;

namespace Functions.PgSidecar.Tests.Unit.Auth;

/// <summary>Every accepted algorithm, with the test vectors of the RFCs where they exist.</summary>
public sealed class SignatureTests
{
    /// <summary>RFC 7515 appendix A: {"iss":"joe","exp":1300819380,"http://example.com/is_root":true}.</summary>
    private const string RfcPayload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    [Fact]
    public Task The_HS256_example_of_RFC_7515_verifies() =>
        RfcTokenVerifies(
            """{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}""",
            $"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RfcPayload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        );

    [Fact]
    public Task The_ES256_example_of_RFC_7515_verifies() =>
        RfcTokenVerifies(
            """{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}""",
            $"eyJhbGciOiJFUzI1NiJ9.{RfcPayload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        );

    [Fact]
    public void The_Ed25519_example_of_RFC_8037_verifies_and_a_changed_one_does_not()
    {
        Assert.True(Ed25519.IsAvailable, "OpenSSL's libcrypto is missing on this machine.");
        var key = StrictBase64Url.Decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"u8)!;
        var data = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"u8.ToArray();
        var signature = StrictBase64Url.Decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"u8)!;

        Assert.True(Ed25519.Verify(key, data, signature));
        Assert.False(Ed25519.Verify(key, data, signature.AsSpan(1)));
        data[3] ^= 1;
        Assert.False(Ed25519.Verify(key, data, signature));
    }

    [Theory]
    [InlineData("HS256")]
    [InlineData("HS384")]
    [InlineData("HS512")]
    [InlineData("RS256")]
    [InlineData("RS384")]
    [InlineData("RS512")]
    [InlineData("PS256")]
    [InlineData("PS384")]
    [InlineData("PS512")]
    [InlineData("ES256")]
    [InlineData("ES384")]
    public async Task Key_of_each_kind_verifies_only_its_own_tokens(string alg)
    {
        var secret = RandomNumberGenerator.GetBytes(64);
        var verifier = TestTokens.WithJwks(
            string.Join(
                ',',
                TestTokens.Jwk(TestTokens.Rsa, ""),
                TestTokens.Jwk(TestTokens.P256, "P-256", ""),
                TestTokens.Jwk(TestTokens.P384, "P-384", ""),
                $$"""{"kty":"oct","k":"{{TestTokens.Encode(secret)}}"}"""
            ),
            allowSecrets: true
        );

        var token = TestTokens.Token($$"""{"alg":"{{alg}}"}""", TestTokens.GoodClaims, data => Sign(alg, secret, data));
        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, token));

        var otherPayload = TestTokens.Token($$"""{"alg":"{{alg}}"}""", TestTokens.GoodClaims, data => Sign(alg, secret, [.. data, 0]));
        Assert.Equal(AuthRefusal.BadSignature, await TestTokens.RefusalOf(verifier, otherPayload));
    }

    private static byte[] Sign(string alg, byte[] secret, byte[] data)
    {
        var hash = new HashAlgorithmName("SHA" + alg[2..]);
        return alg[..2] switch
        {
            "HS" => CryptographicOperations.HmacData(hash, secret, data),
            "RS" => TestTokens.Rsa.SignData(data, hash, RSASignaturePadding.Pkcs1),
            "PS" => TestTokens.Rsa.SignData(data, hash, RSASignaturePadding.Pss),
            _ => (alg == "ES256" ? TestTokens.P256 : TestTokens.P384).SignData(data, hash),
        };
    }

    private static async Task RfcTokenVerifies(string jwk, string token)
    {
        var keys = JsonWebKeySet.Parse(Encoding.UTF8.GetBytes($$"""{"keys":[{{jwk}}]}"""), allowSecrets: true);
        var verifier = new TokenVerifier(
            new AuthOptions { Issuer = "joe" },
            new KeySource(keys, load: null, TimeProvider.System, NullLogger.Instance),
            new ManualTime(DateTimeOffset.FromUnixTimeSeconds(1300819379))
        );

        Assert.Equal(AuthRefusal.None, await TestTokens.RefusalOf(verifier, token));
    }
}
