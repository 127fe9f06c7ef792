using System.Security.Cryptography;

namespace Functions.PgSidecar.Core.Webhooks;

/// <summary>Compares presented HMACs with those of a webhook's keys, in constant time.</summary>
internal static class WebhookMac
{
    /// <summary>Whether one of the keys made the presented HMAC. The time does not depend on which one, or on where they differ.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="algorithm">SHA-256 or SHA-1.</param>
    /// <param name="prefix">What is signed before the body; each character stands for one byte.</param>
    /// <param name="body">The body.</param>
    /// <param name="presented">The HMAC of the request.</param>
    public static bool IsOfAny(
        IReadOnlyList<WebhookKey> keys,
        HashAlgorithmName algorithm,
        string prefix,
        ReadOnlySpan<byte> body,
        ReadOnlySpan<byte> presented
    )
    {
        Span<byte> mac = stackalloc byte[algorithm == HashAlgorithmName.SHA1 ? SHA1.HashSizeInBytes : SHA256.HashSizeInBytes];
        var found = false;
        foreach (var key in keys)
        {
            if (key.IsPublic)
                continue;
            key.Sign(algorithm, prefix, body, mac);
            found |= CryptographicOperations.FixedTimeEquals(mac, presented);
        }
        return found;
    }

    /// <summary>Reads an HMAC-SHA256 in hexadecimal; null if it is not one.</summary>
    public static byte[]? FromHex(ReadOnlySpan<char> text)
    {
        var bytes = new byte[SHA256.HashSizeInBytes];
        return text.Length == bytes.Length * 2 && Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done
            ? bytes
            : null;
    }

    /// <summary>Reads a signature in base64; null if it has another size, or a character that base64 does not have.</summary>
    public static byte[]? FromBase64(ReadOnlySpan<char> text, int size)
    {
        var bytes = new byte[size];
        // The decoder ignores white space; the length leaves it no place.
        return text.Length == (size + 2) / 3 * 4 && Convert.TryFromBase64Chars(text, bytes, out var written) && written == size
            ? bytes
            : null;
    }

    /// <summary>
    /// An id for a delivery without one, where the signature covers the time of signing: the hash of the signature. Only the same bytes,
    /// signed in the same second, have it.
    /// </summary>
    public static string IdOf(ReadOnlySpan<byte> signature) => "signature:" + Convert.ToHexStringLower(SHA256.HashData(signature));
}
