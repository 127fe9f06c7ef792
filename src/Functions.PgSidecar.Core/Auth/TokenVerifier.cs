using Functions.PgSidecar.Core.Auth.Jwt;
using Functions.PgSidecar.Core.Auth.Keys;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>Verifies JWTs and reads their callers. Strict: what is not understood is refused.</summary>
internal sealed class TokenVerifier(AuthOptions options, KeySource keys, TimeProvider time)
{
    private readonly ClaimsReader claims = new(options);
    private readonly VerifiedTokenCache verified = new(options.VerifiedTokens, options.ClockSkew);

    /// <summary>A verifier with the keys that the options name.</summary>
    /// <exception cref="SidecarException">PGFN3040: the shared secret is unusable.</exception>
    public static TokenVerifier Create(AuthOptions options, TimeProvider time, ILogger logger)
    {
        VerificationKey[] fixedKeys = options.Secret is { } secret ? [new HmacKey(JwtSecret.Parse(secret))] : [];
        var load = options switch
        {
            { JwksUrl: { } url } => KeySetLoaders.FromUrl(url),
            { JwksFile: { } path } => KeySetLoaders.FromFile(path),
            _ => null,
        };
        return new TokenVerifier(options, new KeySource(fixedKeys, load, time, logger), time);
    }

    /// <summary>Verifies a token; immediately and without allocating if it was verified before.</summary>
    public ValueTask<AuthResult> VerifyAsync(string token, CancellationToken cancellationToken) =>
        VerifyAsync(token.AsMemory(), cancellationToken);

    /// <summary>Verifies a token that is a part of a header.</summary>
    public ValueTask<AuthResult> VerifyAsync(ReadOnlyMemory<char> token, CancellationToken cancellationToken)
    {
        if (token.Length > CompactToken.MaxLength)
            return ValueTask.FromResult<AuthResult>(AuthRefusal.TokenTooLarge);

        var hash = TokenHash.Of(token.Span);
        return verified.Find(hash, keys.Current, time.GetUtcNow()) is { } caller
            ? ValueTask.FromResult<AuthResult>(caller)
            : VerifyUnknownAsync(token.ToString(), hash, cancellationToken);
    }

    private async ValueTask<AuthResult> VerifyUnknownAsync(string token, TokenHash hash, CancellationToken cancellationToken)
    {
        if (!keys.IsConfigured)
            return AuthRefusal.NoKeyConfigured;
        var refusal = CompactToken.TryParse(token, out var parsed);
        if (refusal != AuthRefusal.None)
            return refusal;
        if (parsed!.Algorithm == JwtAlgorithm.EdDSA && !Ed25519.IsAvailable)
            return AuthRefusal.AlgorithmUnavailable;

        var set = keys.Current;
        if (!set.HasKeyFor(parsed.Algorithm, parsed.KeyId))
        {
            set = await keys.RefreshAsync().WaitAsync(cancellationToken);
            if (!set.HasKeyFor(parsed.Algorithm, parsed.KeyId))
                return keys.IsLoaded ? AuthRefusal.UnknownKey : AuthRefusal.KeysUnavailable;
        }

        if (!set.Verifies(parsed))
            return AuthRefusal.BadSignature;

        var result = claims.Read(parsed.Payload, time.GetUtcNow());
        if (result.Caller is { } caller)
            verified.Add(hash, set, caller);
        return result;
    }
}
