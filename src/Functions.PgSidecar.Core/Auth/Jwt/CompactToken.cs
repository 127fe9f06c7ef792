using System.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>A JWS in compact form (RFC 7515 section 7.1), parsed but not verified.</summary>
internal sealed class CompactToken
{
    /// <summary>
    /// Eight times the size of a usual token; Kestrel's header limit is 32 KB. Limits what an unauthenticated caller can make the sidecar
    /// parse.
    /// </summary>
    public const int MaxLength = 8192;

    private CompactToken(JwtAlgorithm algorithm, string? keyId, ReadOnlyMemory<byte> signingInput, byte[] payload, byte[] signature)
    {
        Algorithm = algorithm;
        KeyId = keyId;
        SigningInput = signingInput;
        Payload = payload;
        Signature = signature;
    }

    public JwtAlgorithm Algorithm { get; }

    /// <summary>The header's <c>kid</c>; null if absent. It is only compared with the kids of configured keys.</summary>
    public string? KeyId { get; }

    /// <summary>What was signed: the first two parts and the dot between them, in ASCII.</summary>
    public ReadOnlyMemory<byte> SigningInput { get; }

    /// <summary>The decoded claims, not yet parsed, because they are not yet verified.</summary>
    public byte[] Payload { get; }

    public byte[] Signature { get; }

    /// <summary>
    /// Parses <paramref name="token"/>. The headers jwk, jku, x5u and x5c are never read: a token does not choose its own key.
    /// </summary>
    public static AuthRefusal TryParse(string token, out CompactToken? parsed)
    {
        parsed = null;
        if (token.Length > MaxLength)
            return AuthRefusal.TokenTooLarge;
        if (!Ascii.IsValid(token))
            return AuthRefusal.MalformedToken;

        var ascii = Encoding.ASCII.GetBytes(token);
        var firstDot = ascii.AsSpan().IndexOf((byte)'.');
        var lastDot = ascii.AsSpan().LastIndexOf((byte)'.');
        // Exactly two dots: encrypted tokens have four, and a part that contains a dot fails to decode.
        if (firstDot <= 0 || lastDot == firstDot)
            return AuthRefusal.MalformedToken;

        var header = StrictBase64Url.Decode(ascii.AsSpan(0, firstDot));
        var payload = StrictBase64Url.Decode(ascii.AsSpan(firstDot + 1, lastDot - firstDot - 1));
        var signature = StrictBase64Url.Decode(ascii.AsSpan(lastDot + 1));
        if (header is null || payload is null || signature is null)
            return AuthRefusal.MalformedToken;

        var refusal = ReadHeader(header, out var algorithm, out var keyId);
        if (refusal != AuthRefusal.None)
            return refusal;
        // After the header, so that alg "none", whose signature is empty, is reported as an unsupported algorithm.
        if (signature.Length == 0)
            return AuthRefusal.MalformedToken;

        parsed = new CompactToken(algorithm, keyId, ascii.AsMemory(0, lastDot), payload, signature);
        return AuthRefusal.None;
    }

    private static AuthRefusal ReadHeader(byte[] header, out JwtAlgorithm algorithm, out string? keyId)
    {
        algorithm = default;
        keyId = null;
        using var document = StrictJson.ParseObject(header);
        if (document is null)
            return AuthRefusal.MalformedToken;

        var members = document.RootElement;
        if (!members.TryGetProperty("alg", out var alg) || alg.ValueKind != JsonValueKind.String)
            return AuthRefusal.MalformedToken;
        if (JwtAlgorithms.Parse(alg.GetString()) is not { } known)
            return AuthRefusal.UnsupportedAlgorithm;
        if (members.TryGetProperty("crit", out _) || !IsAccessTokenType(members))
            return AuthRefusal.UnsupportedHeader;
        if (members.TryGetProperty("kid", out var kid))
        {
            if (kid.ValueKind != JsonValueKind.String)
                return AuthRefusal.MalformedToken;
            keyId = kid.GetString();
        }

        algorithm = known;
        return AuthRefusal.None;
    }

    /// <summary>
    /// RFC 8725 section 3.11: a logout token or a DPoP proof of the same issuer is signed by the same key, but is not an access token.
    /// </summary>
    private static bool IsAccessTokenType(JsonElement header)
    {
        if (!header.TryGetProperty("typ", out var typ))
            return true;
        return typ.ValueKind == JsonValueKind.String && typ.GetString()!.ToUpperInvariant() is "JWT" or "AT+JWT" or "APPLICATION/AT+JWT";
    }
}
