using Functions.PgSidecar.Core.Auth.Management;

namespace Functions.PgSidecar.Core.Auth;

/// <summary>How callers are authenticated: the keys that sign their tokens, and the claims that decide their role.</summary>
internal sealed record AuthOptions
{
    /// <summary>
    /// <c>PGFN_JWT_SECRET</c>: the shared secret of HS256, HS384 and HS512 as raw UTF-8 text, the way Supabase and PostgREST use it;
    /// with the prefix <c>base64:</c>, binary. At least 32 bytes. May stand beside a key set.
    /// </summary>
    public string? Secret { get; init; }

    /// <summary>
    /// <c>PGFN_JWKS_URL</c>: where the issuer publishes its public keys (http or https). Excludes <see cref="JwksFile"/>.
    /// </summary>
    public Uri? JwksUrl { get; init; }

    /// <summary>
    /// <c>PGFN_JWKS_FILE</c>: a JSON Web Key Set on disk; read again when a token names a key that it does not have, and every ten minutes.
    /// </summary>
    public string? JwksFile { get; init; }

    /// <summary><c>PGFN_JWT_AUDIENCE</c>: when set, a token's <c>aud</c> must name it. Default: not checked.</summary>
    public string? Audience { get; init; }

    /// <summary><c>PGFN_JWT_ISSUER</c>: when set, a token's <c>iss</c> must be exactly this. Default: not checked.</summary>
    public string? Issuer { get; init; }

    /// <summary>
    /// <c>PGFN_JWT_CLOCK_SKEW</c>: the tolerated difference to the issuer's clock, for exp, nbf and iat. Default: 60 seconds.
    /// </summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary><c>PGFN_JWT_REQUIRE_EXP</c>: refuse tokens that never expire. Default: true.</summary>
    public bool RequireExpiry { get; init; } = true;

    /// <summary>
    /// <c>PGFN_JWT_ROLE_CLAIM</c>: the claim that names the database role, or a path to it (<c>app_metadata.role</c>). Default:
    /// <c>role</c>.
    /// </summary>
    public string RoleClaim { get; init; } = "role";

    /// <summary>
    /// <c>PGFN_JWT_ROLES</c>: the roles that a token may name, strongest first. If the claim is a list, the first of these roles in it is
    /// used. Default: empty, which allows any role; a claim that is a list is then refused.
    /// </summary>
    public IReadOnlyList<string> TokenRoles { get; init; } = [];

    /// <summary>
    /// <c>PGFN_JWT_DEFAULT_ROLE</c>: the role of a valid token that names none. Default: <c>anon</c>, as in PostgREST: a token needs
    /// <c>"role": "authenticated"</c> to have more rights than an anonymous caller. Its other claims (<c>sub</c> among them) apply
    /// nevertheless.
    /// </summary>
    public string DefaultRole { get; init; } = "anon";

    /// <summary><c>PGFN_ANON_ROLE</c>: the role of a request without a token. Default: <c>anon</c>.</summary>
    public string AnonymousRole { get; init; } = "anon";

    /// <summary>
    /// <c>PGFN_MANAGE_CLAIM</c>: the claims of a token that allow it to manage functions over HTTP. Default: none; only API keys can.
    /// </summary>
    public IReadOnlyList<ManageClaim> ManageClaims { get; init; } = [];

    /// <summary>How many verified tokens are cached. Default: 8192, about 2 KB each.</summary>
    public int VerifiedTokens { get; init; } = 8192;
}
