using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth.Jwt;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>
/// Reads a JSON Web Key Set (RFC 7517 section 5). Keys of unknown kinds are skipped, as the RFC requires; a malformed document is an error.
/// </summary>
internal static class JsonWebKeySet
{
    /// <summary>A token without kid is tried against each matching key, so the number of keys limits the cost of a forged token.</summary>
    public const int MaxKeys = 32;

    /// <summary>The usable keys of a document.</summary>
    /// <param name="utf8">The document.</param>
    /// <param name="allowSecrets">Whether <c>oct</c> keys are accepted. Never for a URL, because a published key is not secret.</param>
    /// <exception cref="FormatException">The document is not a key set, or has more than <see cref="MaxKeys"/> keys.</exception>
    public static IReadOnlyList<VerificationKey> Parse(ReadOnlyMemory<byte> utf8, bool allowSecrets)
    {
        using var document = StrictJson.ParseObject(utf8)
            ?? throw new FormatException("The key set is not a JSON object without duplicate members.");
        if (!document.RootElement.TryGetProperty("keys", out var members) || members.ValueKind != JsonValueKind.Array)
            throw new FormatException("The key set has no list named 'keys'.");
        if (members.GetArrayLength() > MaxKeys)
            throw new FormatException($"The key set has more than {MaxKeys} keys.");

        var keys = new List<VerificationKey>();
        foreach (var member in members.EnumerateArray())
        {
            if (member.ValueKind == JsonValueKind.Object && IsForVerification(member) && TryReadKey(member, allowSecrets) is { } key)
                keys.Add(key);
        }

        return keys;
    }

    /// <summary>RFC 7517 sections 4.2 and 4.3.</summary>
    private static bool IsForVerification(JsonElement jwk)
    {
        if (jwk.TryGetProperty("use", out var use) && !(use.ValueKind == JsonValueKind.String && use.ValueEquals("sig")))
            return false;
        return !jwk.TryGetProperty("key_ops", out var operations)
            || (
                operations.ValueKind == JsonValueKind.Array
                && operations.EnumerateArray().Any(o => o.ValueKind == JsonValueKind.String && o.ValueEquals("verify"))
            );
    }

    private static VerificationKey? TryReadKey(JsonElement jwk, bool allowSecrets)
    {
        var keyId = Text(jwk, "kid");
        JwtAlgorithm? only = null;
        if (jwk.TryGetProperty("alg", out _))
        {
            only = JwtAlgorithms.Parse(Text(jwk, "alg"));
            if (only is null)
                return null;
        }

        try
        {
            return Text(jwk, "kty") switch
            {
                "RSA" => ReadRsa(jwk, keyId, only),
                "EC" => ReadEc(jwk, keyId, only),
                "OKP" => ReadOkp(jwk, keyId, only),
                "oct" when allowSecrets => ReadSecret(jwk, keyId, only),
                _ => null,
            };
        }
        catch (CryptographicException)
        {
            // A point that is not on its curve, or an invalid modulus: not a key.
            return null;
        }
    }

    private static RsaKey? ReadRsa(JsonElement jwk, string? keyId, JwtAlgorithm? only)
    {
        if (Bytes(jwk, "n") is not { } modulus || Bytes(jwk, "e") is not { } exponent)
            return null;
        var rsa = RSA.Create(new RSAParameters { Modulus = modulus, Exponent = exponent });
        if (rsa.KeySize >= RsaKey.MinimumBits)
            return new RsaKey(rsa) { KeyId = keyId, OnlyAlgorithm = only };
        rsa.Dispose();
        return null;
    }

    private static EcdsaKey? ReadEc(JsonElement jwk, string? keyId, JwtAlgorithm? only)
    {
        (ECCurve Curve, JwtAlgorithm Algorithm)? known = Text(jwk, "crv") switch
        {
            "P-256" => (ECCurve.NamedCurves.nistP256, JwtAlgorithm.ES256),
            "P-384" => (ECCurve.NamedCurves.nistP384, JwtAlgorithm.ES384),
            _ => null,
        };
        if (known is not { } curve || Bytes(jwk, "x") is not { } x || Bytes(jwk, "y") is not { } y)
            return null;
        var ecdsa = ECDsa.Create(
            new ECParameters
            {
                Curve = curve.Curve,
                Q = new ECPoint { X = x, Y = y },
            }
        );
        return new EcdsaKey(ecdsa, curve.Algorithm) { KeyId = keyId, OnlyAlgorithm = only };
    }

    private static Ed25519Key? ReadOkp(JsonElement jwk, string? keyId, JwtAlgorithm? only) =>
        Text(jwk, "crv") == "Ed25519" && Bytes(jwk, "x") is { Length: Ed25519.KeySize } x
            ? new Ed25519Key(x) { KeyId = keyId, OnlyAlgorithm = only }
            : null;

    private static HmacKey? ReadSecret(JsonElement jwk, string? keyId, JwtAlgorithm? only) =>
        Bytes(jwk, "k") is { Length: >= JwtSecret.MinimumBytes } k ? new HmacKey(k) { KeyId = keyId, OnlyAlgorithm = only } : null;

    private static string? Text(JsonElement jwk, string name) =>
        jwk.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static byte[]? Bytes(JsonElement jwk, string name) =>
        Text(jwk, name) is { Length: > 0 } text && Ascii.IsValid(text) ? StrictBase64Url.Decode(Encoding.ASCII.GetBytes(text)) : null;
}
