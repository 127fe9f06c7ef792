using Functions.PgSidecar.Core.Auth.Jwt;

namespace Functions.PgSidecar.Core.Auth.Keys;

/// <summary>
/// The keys that are valid at one moment. Never changed, only replaced, so that its identity tells whether a cached verification is still
/// valid.
/// </summary>
internal sealed class KeySet(IReadOnlyList<VerificationKey> keys)
{
    public IReadOnlyList<VerificationKey> Keys { get; } = keys;

    /// <summary>Whether any key can verify a token with this header.</summary>
    public bool HasKeyFor(JwtAlgorithm algorithm, string? keyId)
    {
        foreach (var key in Keys)
        {
            if (key.Fits(algorithm, keyId))
                return true;
        }

        return false;
    }

    /// <summary>Whether one of the matching keys created the token's signature.</summary>
    public bool Verifies(CompactToken token)
    {
        foreach (var key in Keys)
        {
            if (key.Fits(token.Algorithm, token.KeyId) && key.Verify(token.Algorithm, token.SigningInput.Span, token.Signature))
                return true;
        }

        return false;
    }
}
