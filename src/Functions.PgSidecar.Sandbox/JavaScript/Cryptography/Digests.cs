using System.Security.Cryptography;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>Digests and functions based on them: HMAC (RFC 2104), HKDF (RFC 5869), PBKDF2 (RFC 8018).</summary>
internal static class Digests
{
    /// <summary>The most rounds a derivation by PBKDF2 may take, over all blocks of its output; they take about half a second.</summary>
    public const int MaxRounds = 1_000_000;

    /// <summary>The most bytes that a derivation may return.</summary>
    private const int MaxDerivedBytes = 255 * 64;

    /// <summary>
    /// The most bytes of salt or info that are hashed in all. The salt of PBKDF2 and the info of HKDF are hashed once for each block of the
    /// output: long ones, for a long output, would take minutes. This many bytes take some 100 ms.
    /// </summary>
    private const long MaxRepeatedBytes = 32 << 20;

    /// <summary>The least time of a round in nanoseconds, on processors with instructions for the hash.</summary>
    private const long RoundNanoseconds = 200;

    /// <summary>Bytes that are hashed between two checks of the budget; they take about a millisecond.</summary>
    private const int SliceBytes = 1 << 20;

    /// <summary>Computes a digest of the first part.</summary>
    public static byte[] Digest(CryptoRequest request)
    {
        if (request.Part(0).Length <= SliceBytes)
            return CryptographicOperations.HashData(Hash(request), request.Part(0));
        using var hash = IncrementalHash.CreateHash(Hash(request));
        return Finish(hash, request.Part(0), request);
    }

    /// <summary>Computes the HMAC of the second part; the first part is the key.</summary>
    public static byte[] Sign(CryptoRequest request) => Hmac(request, request.Part(1));

    /// <summary>Verifies that the second part is the HMAC of the third; the first part is the key.</summary>
    public static byte[] Verify(CryptoRequest request) =>
        [CryptographicOperations.FixedTimeEquals(Hmac(request, request.Part(2)), request.Part(1)) ? (byte)1 : (byte)0];

    /// <summary>HKDF of key material, salt and info.</summary>
    public static byte[] Hkdf(CryptoRequest request)
    {
        var hash = Hash(request);
        var derived = new byte[request.Number("bytes", 0, 255 * Size(hash))];
        CheckRepeated("HKDF's info", request.Part(2), Blocks(derived, hash));
        if (derived.Length > 0)
            HKDF.DeriveKey(hash, request.Part(0), derived, request.Part(1), request.Part(2));
        return derived;
    }

    /// <summary>PBKDF2 of a password and a salt.</summary>
    public static byte[] Pbkdf2(CryptoRequest request)
    {
        var hash = Hash(request);
        var derived = new byte[request.Number("bytes", 0, MaxDerivedBytes)];
        var blocks = Blocks(derived, hash);
        var iterations = request.Number("iterations", 1, int.MaxValue);
        if ((long)iterations * blocks > MaxRounds)
            throw CryptoException.NotSupported(
                $"PBKDF2 takes at most {MaxRounds:#,0} iterations in all here; {iterations:#,0} for each of {blocks} blocks are more."
            );
        CheckRepeated("PBKDF2's salt", request.Part(1), blocks);
        request.Budget?.Require(RoundNanoseconds * iterations * blocks);
        Rfc2898DeriveBytes.Pbkdf2(request.Part(0), request.Part(1), derived, iterations, hash);
        return derived;
    }

    private static int Blocks(byte[] derived, HashAlgorithmName hash) => Math.Max(1, (derived.Length + Size(hash) - 1) / Size(hash));

    private static void CheckRepeated(string what, ReadOnlySpan<byte> bytes, int blocks)
    {
        if ((long)bytes.Length * blocks > MaxRepeatedBytes)
            throw CryptoException.NotSupported(
                $"{what} of {bytes.Length:#,0} bytes is too long for {blocks} blocks of output: at most {MaxRepeatedBytes:#,0} bytes in all."
            );
    }

    private static byte[] Hmac(CryptoRequest request, ReadOnlySpan<byte> data)
    {
        if (data.Length <= SliceBytes)
            return CryptographicOperations.HmacData(Hash(request), request.Part(0), data);
        using var hash = IncrementalHash.CreateHMAC(Hash(request), request.Part(0));
        return Finish(hash, data, request);
    }

    private static byte[] Finish(IncrementalHash hash, ReadOnlySpan<byte> data, CryptoRequest request)
    {
        for (; data.Length > 0; data = data[Math.Min(SliceBytes, data.Length)..])
        {
            request.Budget?.ThrowIfSpent();
            hash.AppendData(data[..Math.Min(SliceBytes, data.Length)]);
        }
        return hash.GetHashAndReset();
    }

    /// <summary>Finds the hash that a request names.</summary>
    public static HashAlgorithmName Hash(CryptoRequest request) =>
        request.Text("hash") switch
        {
            "SHA-1" => HashAlgorithmName.SHA1,
            "SHA-256" => HashAlgorithmName.SHA256,
            "SHA-384" => HashAlgorithmName.SHA384,
            "SHA-512" => HashAlgorithmName.SHA512,
            _ => throw CryptoException.NotSupported("The hash is none of SHA-1, SHA-256, SHA-384 and SHA-512."),
        };

    private static int Size(HashAlgorithmName hash) =>
        hash.Name switch
        {
            "SHA1" => SHA1.HashSizeInBytes,
            "SHA256" => SHA256.HashSizeInBytes,
            "SHA384" => SHA384.HashSizeInBytes,
            _ => SHA512.HashSizeInBytes,
        };
}
