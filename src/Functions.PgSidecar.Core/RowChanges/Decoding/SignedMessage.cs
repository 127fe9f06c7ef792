using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// A WAL message that the database signed with an HMAC. Any user can write WAL messages, but only the database can sign them.
/// </summary>
internal static class SignedMessage
{
    private const int Digits = 2 * HMACSHA256.HashSizeInBytes;

    /// <summary>Checks a message.</summary>
    /// <param name="content">64 hexadecimal digits of HMAC-SHA256, then the payload.</param>
    /// <param name="key">The database's key, <c>ContextKey</c>.</param>
    /// <param name="domain">The domain prefix of the signed text, so that no other signature under the same key is accepted.</param>
    /// <param name="payload">The payload.</param>
    public static bool TryVerify(ReadOnlySpan<byte> content, ReadOnlySpan<byte> key, string domain, out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (content.Length <= Digits)
            return false;
        Span<byte> given = stackalloc byte[HMACSHA256.HashSizeInBytes];
        if (Convert.FromHexString(content[..Digits], given, out _, out _) != OperationStatus.Done)
            return false;
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hmac.AppendData(Encoding.ASCII.GetBytes(domain));
        hmac.AppendData(content[Digits..]);
        if (!CryptographicOperations.FixedTimeEquals(hmac.GetHashAndReset(), given))
            return false;
        payload = content[Digits..];
        return true;
    }
}
