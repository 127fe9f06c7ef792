using System.Security.Cryptography;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>The accepted signature algorithms of RFC 7518 section 3 and RFC 8037. <c>none</c> is deliberately not one of them.</summary>
internal enum JwtAlgorithm
{
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

internal static class JwtAlgorithms
{
    /// <summary>
    /// Reads an <c>alg</c> member; names are case-sensitive (RFC 7515 section 4.1.1). <c>Ed25519</c> is EdDSA's name since RFC 9864.
    /// </summary>
    public static JwtAlgorithm? Parse(string? name) =>
        name switch
        {
            "HS256" => JwtAlgorithm.HS256,
            "HS384" => JwtAlgorithm.HS384,
            "HS512" => JwtAlgorithm.HS512,
            "RS256" => JwtAlgorithm.RS256,
            "RS384" => JwtAlgorithm.RS384,
            "RS512" => JwtAlgorithm.RS512,
            "PS256" => JwtAlgorithm.PS256,
            "PS384" => JwtAlgorithm.PS384,
            "PS512" => JwtAlgorithm.PS512,
            "ES256" => JwtAlgorithm.ES256,
            "ES384" => JwtAlgorithm.ES384,
            "EdDSA" or "Ed25519" => JwtAlgorithm.EdDSA,
            _ => null,
        };

    /// <summary>The hash of an algorithm; not defined for EdDSA, which hashes internally.</summary>
    public static HashAlgorithmName Hash(this JwtAlgorithm algorithm) =>
        algorithm switch
        {
            JwtAlgorithm.HS256 or JwtAlgorithm.RS256 or JwtAlgorithm.PS256 or JwtAlgorithm.ES256 => HashAlgorithmName.SHA256,
            JwtAlgorithm.HS384 or JwtAlgorithm.RS384 or JwtAlgorithm.PS384 or JwtAlgorithm.ES384 => HashAlgorithmName.SHA384,
            JwtAlgorithm.HS512 or JwtAlgorithm.RS512 or JwtAlgorithm.PS512 => HashAlgorithmName.SHA512,
            _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "This algorithm has no hash of its own."),
        };
}
