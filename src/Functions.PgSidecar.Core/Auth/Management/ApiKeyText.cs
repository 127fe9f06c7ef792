using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Core.Auth.Management;

/// <summary>
/// The text of an API key, <c>pgfn_ID_RANDOM</c>: 16 hexadecimal digits that are public, and 64 (256 bits) that are secret. The format is
/// fixed so that secret scanners find it: <c>pgfn_[0-9a-f]{16}_[0-9a-f]{64}</c>.
/// </summary>
internal static class ApiKeyText
{
    /// <summary>The prefix of every key, which no token has.</summary>
    public const string Prefix = "pgfn_";

    private const int IdLength = 16;
    private const int RandomLength = 64;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>The length of a key.</summary>
    public static int Length => Prefix.Length + IdLength + 1 + RandomLength;

    /// <summary>Whether a text has the format of a key.</summary>
    public static bool IsKey(ReadOnlySpan<char> text) =>
        text.Length == Length
        && text.StartsWith(Prefix, StringComparison.Ordinal)
        && text[Prefix.Length + IdLength] == '_'
        && IsHex(text.Slice(Prefix.Length, IdLength))
        && IsHex(text[^RandomLength..]);

    /// <summary>The public part of a key.</summary>
    public static string IdOf(ReadOnlySpan<char> key) => key.Slice(Prefix.Length, IdLength).ToString();

    /// <summary>The hash of a key, which the database stores.</summary>
    public static byte[] HashOf(ReadOnlySpan<char> key)
    {
        Span<byte> bytes = stackalloc byte[Length];
        return SHA256.HashData(bytes[..Encoding.ASCII.GetBytes(key, bytes)]);
    }

    /// <summary>Removes the keys from a text.</summary>
    /// <param name="text">A text.</param>
    /// <param name="first">The position of its first key.</param>
    public static string Redact(string text, int first)
    {
        var result = new StringBuilder(text.Length);
        var copied = 0;
        for (var at = first; at >= 0; at = text.IndexOf(Prefix, at, StringComparison.Ordinal))
        {
            if (text.Length - at < Length || !IsKey(text.AsSpan(at, Length)))
            {
                at++;
                continue;
            }
            result.Append(text, copied, at - copied).Append("[redacted:API key]");
            copied = at += Length;
        }

        return result.Append(text, copied, text.Length - copied).ToString();
    }

    private static bool IsHex(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(HexDigits);
}
