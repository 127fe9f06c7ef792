using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>AES in the modes CBC and CTR (NIST SP 800-38A), and as a key wrap (RFC 3394). Part 0 of each request is the key.</summary>
internal static class AesCiphers
{
    private const int BlockBytes = 16;

    /// <summary>Bytes that are encrypted between two checks of the budget.</summary>
    private const int SliceBytes = 1 << 20;
    private const int HalfBlock = 8;

    /// <summary>The most bytes to wrap. Keys are short; each 8 bytes take six calls, which for a file would take minutes.</summary>
    private const int MaxWrappedBytes = 64 * 1024;

    /// <summary>Encrypts part 2 from the initialisation vector in part 1, padded by PKCS #7.</summary>
    public static byte[] EncryptCbc(CryptoRequest request)
    {
        using var aes = Cipher(request);
        return aes.EncryptCbc(request.Part(2), Vector(request));
    }

    /// <summary>Decrypts part 2 from the initialisation vector in part 1.</summary>
    public static byte[] DecryptCbc(CryptoRequest request)
    {
        using var aes = Cipher(request);
        return aes.DecryptCbc(request.Part(2), Vector(request));
    }

    /// <summary>
    /// Encrypts or decrypts part 2 from the counter block in part 1, whose last <c>length</c> bits are the counter.
    /// </summary>
    public static byte[] Counter(CryptoRequest request)
    {
        var data = request.Part(2);
        var bits = request.Number("length", 1, 128);
        var blocks = (data.Length + BlockBytes - 1) / BlockBytes;
        if (bits < 31 && blocks > 1 << bits)
            throw CryptoException.Operation("The data has more blocks than the counter has values.");
        using var aes = Cipher(request);
        var result = new byte[data.Length];
        var counter = BinaryPrimitives.ReadUInt128BigEndian(Vector(request));
        var counting = bits == 128 ? UInt128.MaxValue : (UInt128.One << bits) - 1;
        var counters = new byte[Math.Min(blocks, 256) * BlockBytes];
        for (var at = 0; at < data.Length; at += counters.Length)
        {
            if (at % SliceBytes == 0)
                request.Budget?.ThrowIfSpent();
            for (var block = 0; block < counters.Length; block += BlockBytes)
            {
                BinaryPrimitives.WriteUInt128BigEndian(counters.AsSpan(block), counter);
                // Only the bits of the counter change, and they wrap around to zero.
                counter = (counter & ~counting) | ((counter + 1) & counting);
            }
            var key = aes.EncryptEcb(counters, PaddingMode.None);
            for (var i = 0; i < Math.Min(counters.Length, data.Length - at); i++)
                result[at + i] = (byte)(data[at + i] ^ key[i]);
        }
        return result;
    }

    /// <summary>Wraps part 1 (RFC 3394, 2.2.1).</summary>
    public static byte[] Wrap(CryptoRequest request)
    {
        var key = request.Part(1);
        if (key.Length < 2 * HalfBlock || key.Length % HalfBlock != 0)
            throw CryptoException.Operation("AES-KW wraps keys of 16 bytes or more, in multiples of 8.");
        if (key.Length > MaxWrappedBytes)
            throw CryptoException.NotSupported($"AES-KW wraps keys of at most {MaxWrappedBytes:#,0} bytes here.");
        using var aes = Cipher(request);
        var wrapped = new byte[key.Length + HalfBlock];
        key.CopyTo(wrapped.AsSpan(HalfBlock));
        Span<byte> block = stackalloc byte[BlockBytes];
        block[..HalfBlock].Fill(0xa6);
        for (ulong step = 1, all = 6 * (ulong)(key.Length / HalfBlock); step <= all; step++)
        {
            var register = wrapped.AsSpan(HalfBlock + ((int)((step - 1) % (ulong)(key.Length / HalfBlock)) * HalfBlock), HalfBlock);
            register.CopyTo(block[HalfBlock..]);
            aes.EncryptEcb(block, block, PaddingMode.None);
            BinaryPrimitives.WriteUInt64BigEndian(block, BinaryPrimitives.ReadUInt64BigEndian(block) ^ step);
            block[HalfBlock..].CopyTo(register);
        }
        block[..HalfBlock].CopyTo(wrapped);
        return wrapped;
    }

    /// <summary>Unwraps part 1 (RFC 3394, 2.2.2).</summary>
    public static byte[] Unwrap(CryptoRequest request)
    {
        var wrapped = request.Part(1);
        if (wrapped.Length < 3 * HalfBlock || wrapped.Length % HalfBlock != 0)
            throw CryptoException.Operation("The wrapped key has a length that AES-KW does not give.");
        if (wrapped.Length > MaxWrappedBytes + HalfBlock)
            throw CryptoException.NotSupported($"AES-KW unwraps keys of at most {MaxWrappedBytes:#,0} bytes here.");
        using var aes = Cipher(request);
        var key = wrapped[HalfBlock..].ToArray();
        Span<byte> block = stackalloc byte[BlockBytes];
        wrapped[..HalfBlock].CopyTo(block);
        for (var step = 6 * (ulong)(key.Length / HalfBlock); step >= 1; step--)
        {
            var register = key.AsSpan((int)((step - 1) % (ulong)(key.Length / HalfBlock)) * HalfBlock, HalfBlock);
            BinaryPrimitives.WriteUInt64BigEndian(block, BinaryPrimitives.ReadUInt64BigEndian(block) ^ step);
            register.CopyTo(block[HalfBlock..]);
            aes.DecryptEcb(block, block, PaddingMode.None);
            block[HalfBlock..].CopyTo(register);
        }
        Span<byte> expected = stackalloc byte[HalfBlock];
        expected.Fill(0xa6);
        return CryptographicOperations.FixedTimeEquals(expected, block[..HalfBlock])
            ? key
            : throw CryptoException.Operation("The wrapped key does not unwrap.");
    }

    private static Aes Cipher(CryptoRequest request)
    {
        if (request.Part(0).Length is not (16 or 24 or 32))
            throw CryptoException.Operation("An AES key has 16, 24 or 32 bytes.");
        var aes = Aes.Create();
        aes.Key = request.Part(0).ToArray();
        return aes;
    }

    private static ReadOnlySpan<byte> Vector(CryptoRequest request) =>
        request.Part(1).Length == BlockBytes
            ? request.Part(1)
            : throw CryptoException.Operation("The initialisation vector, or counter, must have 16 bytes.");
}
