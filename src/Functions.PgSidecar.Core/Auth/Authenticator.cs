using System.Text;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>Turns the headers of a request into its caller.</summary>
internal sealed class Authenticator
{
    private const string Scheme = "Bearer ";

    private readonly TokenVerifier verifier;
    private readonly Caller anonymous;

    public Authenticator(TokenVerifier verifier, AuthOptions options)
    {
        this.verifier = verifier;
        // The role is a plain identifier, so it needs no escaping.
        anonymous = new Caller(
            options.AnonymousRole,
            Subject: null,
            Encoding.UTF8.GetBytes($$"""{"role":"{{options.AnonymousRole}}"}"""),
            ExpiresAt: null
        );
    }

    /// <summary>
    /// Authenticates a request. A token is sent as <c>Authorization: Bearer</c>, or, as Supabase's clients do, in <c>apikey</c>. If both
    /// are present, Authorization decides and apikey is ignored. With neither, the caller is anonymous, and the function decides whether to
    /// accept it.
    /// </summary>
    /// <param name="authorization">Every value of the Authorization header, in order.</param>
    /// <param name="apiKey">Every value of the apikey header.</param>
    /// <param name="cancellationToken">Ends the wait for an issuer's keys, the only wait in this method.</param>
    public ValueTask<AuthResult> AuthenticateAsync(
        IReadOnlyList<string?> authorization,
        IReadOnlyList<string?> apiKey,
        CancellationToken cancellationToken
    )
    {
        if (authorization.Count > 1 || apiKey.Count > 1)
            return ValueTask.FromResult<AuthResult>(AuthRefusal.DuplicateHeader);

        if (authorization.Count == 1)
        {
            return TryReadBearer(authorization[0], out var token)
                ? verifier.VerifyAsync(token, cancellationToken)
                : ValueTask.FromResult<AuthResult>(AuthRefusal.MalformedHeader);
        }

        if (apiKey.Count == 1)
        {
            return apiKey[0]?.Trim(' ') is { Length: > 0 } key
                ? verifier.VerifyAsync(key, cancellationToken)
                : ValueTask.FromResult<AuthResult>(AuthRefusal.MalformedHeader);
        }

        return ValueTask.FromResult<AuthResult>(anonymous);
    }

    /// <summary>
    /// RFC 6750 section 2.1; the scheme is case-insensitive (RFC 9110 section 11.1), and spaces around the token are ignored. Two
    /// credentials joined by a comma are refused.
    /// </summary>
    internal static bool TryReadBearer(string? header, out ReadOnlyMemory<char> token)
    {
        token = default;
        if (header is null || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
            return false;
        token = header.AsMemory(Scheme.Length).Trim(' ');
        return !token.IsEmpty && !token.Span.ContainsAny(' ', ',', '\t');
    }
}
