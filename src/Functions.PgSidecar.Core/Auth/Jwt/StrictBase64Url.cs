using System.Buffers;
using System.Buffers.Text;

namespace Functions.PgSidecar.Core.Auth.Jwt;

/// <summary>
/// base64url as RFC 7515 section 2 defines it: no padding, no white space, and exactly one spelling for each value.
/// </summary>
/// <remarks>
/// The framework's decoder also accepts padding and white space. Two spellings of one token would be two entries in a cache, a deny list or
/// a log.
/// </remarks>
internal static class StrictBase64Url
{
    private static readonly SearchValues<byte> Alphabet = SearchValues.Create(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8
    );

    /// <summary>Decodes <paramref name="text"/>; null unless it is the canonical spelling.</summary>
    public static byte[]? Decode(ReadOnlySpan<byte> text)
    {
        if (text.Length % 4 == 1 || text.ContainsAnyExcept(Alphabet))
            return null;

        var bytes = new byte[text.Length / 4 * 3 + (text.Length % 4 == 0 ? 0 : text.Length % 4 - 1)];
        if (Base64Url.DecodeFromUtf8(text, bytes, out _, out var written) != OperationStatus.Done || written != bytes.Length)
            return null;
        return TrailingBitsAreZero(text) ? bytes : null;
    }

    private static bool TrailingBitsAreZero(ReadOnlySpan<byte> text)
    {
        var unusedBits = (text.Length % 4) switch
        {
            2 => 0b1111,
            3 => 0b11,
            _ => 0,
        };
        return unusedBits == 0 || (Value(text[^1]) & unusedBits) == 0;
    }

    private static int Value(byte symbol) =>
        symbol switch
        {
            >= (byte)'A' and <= (byte)'Z' => symbol - 'A',
            >= (byte)'a' and <= (byte)'z' => symbol - 'a' + 26,
            >= (byte)'0' and <= (byte)'9' => symbol - '0' + 52,
            (byte)'-' => 62,
            _ => 63,
        };
}
