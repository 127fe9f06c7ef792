using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>Evaluates the claims of a token whose signature was verified (RFC 7519 section 4.1).</summary>
internal sealed class ClaimsReader(AuthOptions options)
{
    private static readonly SearchValues<char> RoleCharacters = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
    );

    /// <summary>
    /// The largest second that DateTimeOffset can represent. An exp in milliseconds is larger, and is refused instead of being valid for
    /// millennia.
    /// </summary>
    private const long LastSecond = 253402300799;

    /// <summary>PostgreSQL's NAMEDATALEN minus one.</summary>
    private const int MaxRoleLength = 63;

    private readonly RoleClaim roleClaim = new(options.RoleClaim, options.TokenRoles);

    /// <summary>Reads <paramref name="payload"/> as of <paramref name="now"/>.</summary>
    public AuthResult Read(ReadOnlyMemory<byte> payload, DateTimeOffset now)
    {
        using var document = StrictJson.ParseObject(payload);
        if (document is null)
            return AuthRefusal.MalformedToken;

        var claims = document.RootElement;
        var refusal = CheckTimes(claims, now, out var expiresAt);
        if (refusal == AuthRefusal.None)
            refusal = CheckIssuer(claims);
        if (refusal == AuthRefusal.None)
            refusal = CheckAudience(claims);
        if (refusal != AuthRefusal.None)
            return refusal;

        if (!TryReadText(claims, "sub", out var subject))
            return AuthRefusal.InvalidClaims;
        if (!roleClaim.TryRead(claims, out var role))
            return AuthRefusal.InvalidRole;

        return new Caller(role ?? options.DefaultRole, subject, payload, expiresAt);
    }

    /// <summary>A plain identifier, which can't end a quoted identifier even where quoting was forgotten.</summary>
    public static bool IsRoleName(string name) =>
        name.Length is > 0 and <= MaxRoleLength && !char.IsAsciiDigit(name[0]) && !name.AsSpan().ContainsAnyExcept(RoleCharacters);

    private AuthRefusal CheckTimes(JsonElement claims, DateTimeOffset now, out DateTimeOffset? expiresAt)
    {
        expiresAt = null;
        if (
            !TryReadTime(claims, "exp", out var expiry)
            || !TryReadTime(claims, "nbf", out var notBefore)
            || !TryReadTime(claims, "iat", out var issuedAt)
        )
            return AuthRefusal.InvalidClaims;
        if (expiry is null && options.RequireExpiry)
            return AuthRefusal.ExpiryMissing;

        var seconds = now.ToUnixTimeMilliseconds() / 1000.0;
        var skew = options.ClockSkew.TotalSeconds;
        if (expiry is { } end && seconds >= end + skew)
            return AuthRefusal.Expired;
        if (notBefore is { } start && seconds < start - skew)
            return AuthRefusal.NotYetValid;
        if (issuedAt is { } issued && seconds < issued - skew)
            return AuthRefusal.IssuedInFuture;

        if (expiry is { } at)
            expiresAt = DateTimeOffset.FromUnixTimeSeconds((long)at);
        return AuthRefusal.None;
    }

    private AuthRefusal CheckIssuer(JsonElement claims)
    {
        if (!TryReadText(claims, "iss", out var issuer))
            return AuthRefusal.InvalidClaims;
        return options.Issuer is null || string.Equals(options.Issuer, issuer, StringComparison.Ordinal)
            ? AuthRefusal.None
            : AuthRefusal.WrongIssuer;
    }

    private AuthRefusal CheckAudience(JsonElement claims)
    {
        var matches = options.Audience is null;
        if (claims.TryGetProperty("aud", out var audience))
        {
            if (audience.ValueKind == JsonValueKind.String)
            {
                matches |= audience.ValueEquals(options.Audience);
            }
            else if (audience.ValueKind == JsonValueKind.Array)
            {
                foreach (var one in audience.EnumerateArray())
                {
                    if (one.ValueKind != JsonValueKind.String)
                        return AuthRefusal.InvalidClaims;
                    matches |= one.ValueEquals(options.Audience);
                }
            }
            else
            {
                return AuthRefusal.InvalidClaims;
            }
        }

        return matches ? AuthRefusal.None : AuthRefusal.WrongAudience;
    }

    private static bool TryReadText(JsonElement claims, string name, out string? text)
    {
        text = null;
        if (!claims.TryGetProperty(name, out var claim))
            return true;
        if (claim.ValueKind != JsonValueKind.String)
            return false;
        text = claim.GetString();
        return true;
    }

    /// <summary>A NumericDate (RFC 7519 section 2): seconds, a fraction allowed.</summary>
    private static bool TryReadTime(JsonElement claims, string name, out double? seconds)
    {
        seconds = null;
        if (!claims.TryGetProperty(name, out var claim))
            return true;
        if (claim.ValueKind != JsonValueKind.Number || !claim.TryGetDouble(out var value) || value is not (>= 0 and <= LastSecond))
            return false;
        seconds = value;
        return true;
    }
}
