using System.Security.Cryptography;
using Functions.PgSidecar.Core.Auth.Jwt;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>
/// A key for verifying tokens. The key decides its algorithms, never the token; otherwise a public RSA key could be used as an HMAC secret.
/// </summary>
internal abstract class VerificationKey
{
    /// <summary>The key's <c>kid</c>; a key without one is tried for every token of its algorithms.</summary>
    public string? KeyId { get; init; }

    /// <summary>The only algorithm, if the JWK's <c>alg</c> restricts the key; null for all of its kind.</summary>
    public JwtAlgorithm? OnlyAlgorithm { get; init; }

    /// <summary>Whether the key can verify a token with this header.</summary>
    public bool Fits(JwtAlgorithm algorithm, string? keyId) =>
        IsOfItsKind(algorithm)
        && (OnlyAlgorithm is null || OnlyAlgorithm == algorithm)
        && (KeyId is null || keyId is null || string.Equals(KeyId, keyId, StringComparison.Ordinal));

    public abstract bool Verify(JwtAlgorithm algorithm, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature);

    protected abstract bool IsOfItsKind(JwtAlgorithm algorithm);
}

/// <summary>A shared secret (RFC 7518 section 3.2).</summary>
internal sealed class HmacKey(byte[] secret) : VerificationKey
{
    protected override bool IsOfItsKind(JwtAlgorithm algorithm) =>
        algorithm is JwtAlgorithm.HS256 or JwtAlgorithm.HS384 or JwtAlgorithm.HS512;

    public override bool Verify(JwtAlgorithm algorithm, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        Span<byte> expected = stackalloc byte[HMACSHA512.HashSizeInBytes];
        var length = CryptographicOperations.HmacData(algorithm.Hash(), secret, data, expected);
        return CryptographicOperations.FixedTimeEquals(expected[..length], signature);
    }
}

/// <summary>An RSA public key of at least 2048 bits (RFC 7518 sections 3.3 and 3.5).</summary>
internal sealed class RsaKey(RSA rsa) : VerificationKey
{
    public const int MinimumBits = 2048;

    private readonly Lock gate = new();

    protected override bool IsOfItsKind(JwtAlgorithm algorithm) => algorithm is >= JwtAlgorithm.RS256 and <= JwtAlgorithm.PS512;

    public override bool Verify(JwtAlgorithm algorithm, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        var padding = algorithm is JwtAlgorithm.RS256 or JwtAlgorithm.RS384 or JwtAlgorithm.RS512
            ? RSASignaturePadding.Pkcs1
            : RSASignaturePadding.Pss;
        // The framework's key objects are not documented as thread-safe. Verified tokens are cached, so there is little contention.
        lock (gate)
            return rsa.VerifyData(data, signature, algorithm.Hash(), padding);
    }
}

/// <summary>A public key on P-256 or P-384 (RFC 7518 section 3.4); signatures are r and s at full width, never DER.</summary>
internal sealed class EcdsaKey(ECDsa ecdsa, JwtAlgorithm algorithmOfCurve) : VerificationKey
{
    private readonly Lock gate = new();

    protected override bool IsOfItsKind(JwtAlgorithm algorithm) => algorithm == algorithmOfCurve;

    public override bool Verify(JwtAlgorithm algorithm, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        lock (gate)
            return ecdsa.VerifyData(data, signature, algorithm.Hash(), DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }
}

/// <summary>An Ed25519 public key (RFC 8037); verified by the system's OpenSSL.</summary>
internal sealed class Ed25519Key(byte[] publicKey) : VerificationKey
{
    protected override bool IsOfItsKind(JwtAlgorithm algorithm) => algorithm == JwtAlgorithm.EdDSA;

    public override bool Verify(JwtAlgorithm algorithm, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature) =>
        Ed25519.Verify(publicKey, data, signature);
}
