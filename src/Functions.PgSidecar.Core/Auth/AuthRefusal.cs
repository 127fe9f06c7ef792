namespace Functions.PgSidecar.Core.Auth;

/// <summary>Why a request was refused. The number is the last two digits of the error code: <c>Expired</c> is PGFN3011.</summary>
public enum AuthRefusal
{
    None = 0,
    DuplicateHeader = 1,
    MalformedHeader = 2,
    TokenTooLarge = 3,
    MalformedToken = 4,
    UnsupportedAlgorithm = 5,
    UnsupportedHeader = 6,
    NoKeyConfigured = 7,
    UnknownKey = 8,
    AlgorithmUnavailable = 9,
    BadSignature = 10,
    Expired = 11,
    ExpiryMissing = 12,
    NotYetValid = 13,
    IssuedInFuture = 14,
    WrongAudience = 15,
    WrongIssuer = 16,
    InvalidRole = 17,
    InvalidClaims = 18,
    UnknownApiKey = 19,
    ApiKeyExpired = 20,
    SeveralCredentials = 21,
    KeysUnavailable = 30,
}

/// <summary>
/// The code, status and message of each refusal. No message contains any part of a token, because messages appear in logs and browsers.
/// </summary>
internal static class AuthRefusals
{
    /// <summary>The stable code, <c>PGFN30nn</c>.</summary>
    public static string Code(this AuthRefusal refusal) => $"PGFN30{(int)refusal:00}";

    /// <summary>401, but 503 if the sidecar is the cause: the issuer's keys could never be fetched.</summary>
    public static int Status(this AuthRefusal refusal) => refusal == AuthRefusal.KeysUnavailable ? 503 : 401;

    /// <summary>What happened and what to do, in a sentence or two.</summary>
    public static string Message(this AuthRefusal refusal) =>
        refusal switch
        {
            AuthRefusal.DuplicateHeader => "The request carries more than one Authorization or apikey header; send one.",
            AuthRefusal.MalformedHeader => "The Authorization header is not of the form 'Bearer <token>'.",
            AuthRefusal.TokenTooLarge => "The token is longer than 8192 characters.",
            AuthRefusal.MalformedToken => "The token is not a well-formed signed JWT (three base64url parts, the first two JSON objects "
                + "without duplicate members).",
            AuthRefusal.UnsupportedAlgorithm =>
                "The token's alg is not one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, " + "ES256, ES384, EdDSA.",
            AuthRefusal.UnsupportedHeader => "The token's header requires something unsupported: a crit extension, or a typ that is not an "
                + "access token's.",
            AuthRefusal.NoKeyConfigured => "The sidecar has no key to verify tokens with; set PGFN_JWT_SECRET, PGFN_JWKS_URL or "
                + "PGFN_JWKS_FILE.",
            AuthRefusal.UnknownKey => "No configured key matches the token's kid and alg.",
            AuthRefusal.AlgorithmUnavailable => "EdDSA needs OpenSSL's libcrypto (1.1.1 or newer) on the sidecar's machine, and it was not "
                + "found.",
            AuthRefusal.BadSignature => "The token's signature does not verify.",
            AuthRefusal.Expired => "The token has expired; sign in again.",
            AuthRefusal.ExpiryMissing => "The token has no exp claim; issue tokens that expire, or set PGFN_JWT_REQUIRE_EXP=false.",
            AuthRefusal.NotYetValid => "The token is not valid yet (nbf).",
            AuthRefusal.IssuedInFuture => "The token was issued in the future (iat); the issuer's clock and the sidecar's differ.",
            AuthRefusal.WrongAudience => "The token is for another audience (aud) than PGFN_JWT_AUDIENCE.",
            AuthRefusal.WrongIssuer => "The token is from another issuer (iss) than PGFN_JWT_ISSUER.",
            AuthRefusal.InvalidRole =>
                "The token's role claim does not name an allowed role: a plain name (letters, digits and underscores, "
                    + "at most 63) and, where PGFN_JWT_ROLES is set, one of those.",
            AuthRefusal.InvalidClaims => "A registered claim of the token has the wrong type or range (exp, nbf, iat: seconds since 1970; "
                + "sub, iss: text; aud: text or a list of texts).",
            AuthRefusal.UnknownApiKey => "The API key does not exist: it is incomplete, was dropped, or belongs to another database.",
            AuthRefusal.ApiKeyExpired => "The API key has expired; create a new one with functions.create_api_key.",
            AuthRefusal.SeveralCredentials => "The request carries more than one credential (Authorization, X-API-Key, apikey); send one.",
            AuthRefusal.KeysUnavailable => "The issuer's key set could not be loaded yet; retry shortly.",
            _ => throw new ArgumentOutOfRangeException(nameof(refusal), refusal, "Not a refusal."),
        };

    /// <summary>The refusal as the exception that HTTP and the CLI print.</summary>
    public static SidecarException ToException(this AuthRefusal refusal) => new(refusal.Code(), refusal.Status(), refusal.Message());
}
