using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Keys;
using Microsoft.Extensions.Logging.Abstractions;

namespace Functions.PgSidecar.Tests.Unit.Auth;

/// <summary>Creates valid and forged tokens, and the verifiers that have to distinguish them.</summary>
internal static class TestTokens
{
    public const string Secret = "a-secret-of-more-than-thirty-two-bytes";

    public static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);

    public static readonly string GoodClaims = $$"""{"role":"authenticated","sub":"u1","exp":{{Now.ToUnixTimeSeconds() + 600}}}""";

    public static readonly RSA Rsa = RSA.Create(2048);

    public static readonly ECDsa P256 = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public static readonly ECDsa P384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);

    public static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    public static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>A token with any header and payload, signed by the given function.</summary>
    public static string Token(string header, string payload, Func<byte[], byte[]> sign)
    {
        var input = $"{Encode(header)}.{Encode(payload)}";
        return $"{input}.{Encode(sign(Encoding.ASCII.GetBytes(input)))}";
    }

    public static string Hs256(string payload, string header = """{"alg":"HS256","typ":"JWT"}""", string secret = Secret) =>
        Token(header, payload, data => HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), data));

    public static string Jwk(RSA rsa, string extra)
    {
        var p = rsa.ExportParameters(false);
        return $$"""{"kty":"RSA","n":"{{Encode(p.Modulus!)}}","e":"{{Encode(p.Exponent!)}}"{{extra}}}""";
    }

    public static string Jwk(ECDsa ecdsa, string curve, string extra)
    {
        var p = ecdsa.ExportParameters(false);
        return $$"""{"kty":"EC","crv":"{{curve}}","x":"{{Encode(p.Q.X!)}}","y":"{{Encode(p.Q.Y!)}}"{{extra}}}""";
    }

    public static TokenVerifier WithSecret(AuthOptions? options = null, TimeProvider? time = null) =>
        TokenVerifier.Create((options ?? new AuthOptions()) with { Secret = Secret }, time ?? new ManualTime(Now), NullLogger.Instance);

    public static TokenVerifier WithJwks(string keys, bool allowSecrets = false) =>
        new(new AuthOptions(), Source(keys, allowSecrets), new ManualTime(Now));

    private static KeySource Source(string keys, bool allowSecrets)
    {
        var parsed = JsonWebKeySet.Parse(Encoding.UTF8.GetBytes($$"""{"keys":[{{keys}}]}"""), allowSecrets);
        return new KeySource(parsed, load: null, TimeProvider.System, NullLogger.Instance);
    }

    public static async Task<AuthRefusal> RefusalOf(TokenVerifier verifier, string token) =>
        (await verifier.VerifyAsync(token, TestContext.Current.CancellationToken)).Refusal;
}
