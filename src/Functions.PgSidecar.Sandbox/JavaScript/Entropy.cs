using System.Security.Cryptography;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Cryptographic random bytes in small portions. They are read from the system a page at a time; each byte is used once.</summary>
internal static class Entropy
{
    private const int BufferBytes = 4096;

    [ThreadStatic]
    private static byte[]? buffer;

    [ThreadStatic]
    private static int left;

    /// <summary>Fills a small span.</summary>
    public static void Fill(Span<byte> target)
    {
        buffer ??= new byte[BufferBytes];
        if (left < target.Length)
        {
            RandomNumberGenerator.Fill(buffer);
            left = BufferBytes;
        }
        left -= target.Length;
        var portion = buffer.AsSpan(left, target.Length);
        portion.CopyTo(target);
        portion.Clear();
    }
}
