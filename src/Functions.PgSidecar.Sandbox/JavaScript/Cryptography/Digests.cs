using System.Security.Cryptography;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>Digests and what is made of them: HMAC (RFC 2104), HKDF (RFC 5869), PBKDF2 (RFC 8018).</summary>
internal static class Digests
{
    /// <summary>The most rounds a derivation by PBKDF2 may take, over all blocks of its output: about half a second.</summary>
    public const int MaxRounds = 1_000_000;

    /// <summary>The most bytes a derivation may give.</summary>
    private const int MaxDerivedBytes = 255 * 64;

    /// <summary>A digest of the first part.</summary>
    public static byte[] Digest(CryptoRequest request) => CryptographicOperations.HashData(Hash(request), request.Part(0));

    /// <summary>The HMAC of the second part under the key that is the first.</summary>
    public static byte[] Sign(CryptoRequest request) => CryptographicOperations.HmacData(Hash(request), request.Part(0), request.Part(1));

    /// <summary>Whether the second part is the HMAC of the third under the key that is the first.</summary>
    public static byte[] Verify(CryptoRequest request)
    {
        var expected = CryptographicOperations.HmacData(Hash(request), request.Part(0), request.Part(2));
        return [CryptographicOperations.FixedTimeEquals(expected, request.Part(1)) ? (byte)1 : (byte)0];
    }

    /// <summary>HKDF of key material, salt and info.</summary>
    public static byte[] Hkdf(CryptoRequest request)
    {
        var hash = Hash(request);
        var derived = new byte[request.Number("bytes", 0, 255 * Size(hash))];
        if (derived.Length > 0)
            HKDF.DeriveKey(hash, request.Part(0), derived, request.Part(1), request.Part(2));
        return derived;
    }

    /// <summary>PBKDF2 of a password and a salt.</summary>
    public static byte[] Pbkdf2(CryptoRequest request)
    {
        var hash = Hash(request);
        var derived = new byte[request.Number("bytes", 0, MaxDerivedBytes)];
        var blocks = Math.Max(1, (derived.Length + Size(hash) - 1) / Size(hash));
        var iterations = request.Number("iterations", 1, int.MaxValue);
        if ((long)iterations * blocks > MaxRounds)
            throw CryptoException.NotSupported($"PBKDF2 takes at most {MaxRounds:#,0} iterations in all here; {iterations:#,0} for each of {blocks} blocks are more.");
        Rfc2898DeriveBytes.Pbkdf2(request.Part(0), request.Part(1), derived, iterations, hash);
        return derived;
    }

    /// <summary>The hash that a request names.</summary>
    public static HashAlgorithmName Hash(CryptoRequest request) => request.Text("hash") switch
    {
        "SHA-1" => HashAlgorithmName.SHA1,
        "SHA-256" => HashAlgorithmName.SHA256,
        "SHA-384" => HashAlgorithmName.SHA384,
        "SHA-512" => HashAlgorithmName.SHA512,
        _ => throw CryptoException.NotSupported("The hash is none of SHA-1, SHA-256, SHA-384 and SHA-512."),
    };

    private static int Size(HashAlgorithmName hash) => hash.Name switch
    {
        "SHA1" => SHA1.HashSizeInBytes,
        "SHA256" => SHA256.HashSizeInBytes,
        "SHA384" => SHA384.HashSizeInBytes,
        _ => SHA512.HashSizeInBytes,
    };
}
