namespace Functions.PgSidecar.Core.Auth;

/// <summary>The caller, as row-level security and the function's event see it.</summary>
/// <param name="Role">The database role, already checked to be a plain identifier; the database decides whether it exists and may be
/// used.</param>
/// <param name="Subject">The <c>sub</c> claim; null for anonymous callers and tokens without one.</param>
/// <param name="ClaimsJson">The token's payload, a JSON object in UTF-8 exactly as it was signed; free of U+0000, so it casts to
/// jsonb.</param>
/// <param name="ExpiresAt">The <c>exp</c> claim without clock skew; null when there is none.</param>
internal sealed record Caller(string Role, string? Subject, ReadOnlyMemory<byte> ClaimsJson, DateTimeOffset? ExpiresAt)
{
    /// <summary>
    /// The login that made the change, if it is not a role of functions and <see cref="Role"/> stands in for it; otherwise null.
    /// </summary>
    public string? Writer { get; init; }
}

/// <summary>Either a caller, or the reason why the request was refused.</summary>
internal readonly struct AuthResult
{
    private AuthResult(Caller? caller, AuthRefusal refusal)
    {
        Caller = caller;
        Refusal = refusal;
    }

    /// <summary>The caller; null when refused.</summary>
    public Caller? Caller { get; }

    /// <summary><see cref="AuthRefusal.None"/> when there is a caller.</summary>
    public AuthRefusal Refusal { get; }

    public static implicit operator AuthResult(Caller caller) => new(caller, AuthRefusal.None);

    public static implicit operator AuthResult(AuthRefusal refusal) => new(null, refusal);
}
