using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>
/// Encrypts and decrypts secrets. Encrypting needs only the public key, so <c>functions.set_secret</c> does it inside PostgreSQL, and no
/// plaintext reaches a table, the WAL or a backup. Decrypting needs the private key, which only the sidecar has in plaintext.
/// </summary>
/// <remarks>
/// A sealed secret is: version (1 byte, 1), the public key's id (8), a content key encrypted by RSA-OAEP with SHA-256 (as long as the
/// modulus), the ciphertext, and an HMAC-SHA256 (32) over everything before it and the names of function and secret, so that a sealed value
/// is valid only in its own place. The cipher is SHA-256 in counter mode, because PostgreSQL has it without extensions;
/// <c>sql/secrets/seal_secret.sql</c> is the counterpart of this class.
/// </remarks>
internal sealed class SecretBox : IDisposable
{
    public const int KeyIdSize = 8;

    private const byte Version = 1;
    private const int ContentKeySize = 32;
    private const byte StreamPurpose = 1;
    private const byte MacPurpose = 2;

    private readonly RSA rsa;
    private readonly byte[] keyId;
    private readonly Lock gate = new();

    /// <param name="rsa">The private key; the box now owns it.</param>
    public SecretBox(RSA rsa)
    {
        this.rsa = rsa;
        Modulus = new System.Numerics.BigInteger(rsa.ExportParameters(false).Modulus, isUnsigned: true, isBigEndian: true).ToString(
            System.Globalization.CultureInfo.InvariantCulture
        );
        keyId = SHA256.HashData(Encoding.ASCII.GetBytes(Modulus))[..KeyIdSize];
    }

    /// <summary>The public key's modulus in decimal; its exponent is 65537.</summary>
    public string Modulus { get; }

    /// <summary>Encrypts a value for one function and key.</summary>
    public byte[] Seal(string function, string key, string value)
    {
        var contentKey = RandomNumberGenerator.GetBytes(ContentKeySize);
        var text = Encoding.UTF8.GetBytes(value);
        ApplyStream(contentKey, text);
        byte[] wrapped;
        lock (gate)
            wrapped = rsa.Encrypt(contentKey, RSAEncryptionPadding.OaepSHA256);

        byte[] head = [Version, .. keyId, .. wrapped];
        return [.. head, .. text, .. Mac(contentKey, head, function, key, text)];
    }

    /// <summary>Decrypts a value that was encrypted for this function and key.</summary>
    /// <exception cref="SidecarException">PGFN5301: the value was sealed for another key pair. PGFN5302: it is damaged, or from another
    /// place.</exception>
    public string Open(string function, string key, ReadOnlySpan<byte> sealedValue)
    {
        var headSize = 1 + KeyIdSize + (rsa.KeySize / 8);
        if (sealedValue.Length < headSize + HMACSHA256.HashSizeInBytes || sealedValue[0] != Version)
            throw Damaged(function, key);
        if (!sealedValue.Slice(1, KeyIdSize).SequenceEqual(keyId))
        {
            throw new SidecarException(
                "PGFN5301",
                500,
                $"The secret '{key}' of function '{function}' was sealed for another key pair than this database's; set it again with "
                    + "functions.set_secret."
            );
        }

        var head = sealedValue[..headSize];
        var text = sealedValue[headSize..^HMACSHA256.HashSizeInBytes].ToArray();
        if (
            Unwrap(head[(1 + KeyIdSize)..]) is not { } contentKey
            || !CryptographicOperations.FixedTimeEquals(
                Mac(contentKey, head, function, key, text),
                sealedValue[^HMACSHA256.HashSizeInBytes..]
            )
        )
            throw Damaged(function, key);

        ApplyStream(contentKey, text);
        return Encoding.UTF8.GetString(text);
    }

    public void Dispose() => rsa.Dispose();

    private byte[]? Unwrap(ReadOnlySpan<byte> wrapped)
    {
        try
        {
            lock (gate)
                return rsa.Decrypt(wrapped, RSAEncryptionPadding.OaepSHA256) is { Length: ContentKeySize } contentKey ? contentKey : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    /// <summary>
    /// Encrypts or decrypts in place: block i of the stream is SHA-256(content key, purpose, i), i in four bytes, big-endian.
    /// </summary>
    private static void ApplyStream(ReadOnlySpan<byte> contentKey, Span<byte> text)
    {
        Span<byte> input = stackalloc byte[ContentKeySize + 1 + sizeof(int)];
        Span<byte> block = stackalloc byte[SHA256.HashSizeInBytes];
        contentKey.CopyTo(input);
        input[ContentKeySize] = StreamPurpose;
        for (var i = 0; i < text.Length; i++)
        {
            if (i % block.Length == 0)
            {
                BinaryPrimitives.WriteInt32BigEndian(input[(ContentKeySize + 1)..], i / block.Length);
                SHA256.HashData(input, block);
            }

            text[i] ^= block[i % block.Length];
        }
    }

    private static byte[] Mac(ReadOnlySpan<byte> contentKey, ReadOnlySpan<byte> head, string function, string key, ReadOnlySpan<byte> text)
    {
        var macKey = SHA256.HashData((byte[])[.. contentKey, MacPurpose]);
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, macKey);
        mac.AppendData(head);
        AppendName(mac, function);
        AppendName(mac, key);
        mac.AppendData(text);
        return mac.GetHashAndReset();
    }

    /// <summary>Appends the length first, so that different pairs of names never give the same input.</summary>
    private static void AppendName(IncrementalHash mac, string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(length, bytes.Length);
        mac.AppendData(length);
        mac.AppendData(bytes);
    }

    private static SidecarException Damaged(string function, string key) =>
        new(
            "PGFN5302",
            500,
            $"The secret '{key}' of function '{function}' is damaged, or was copied from another function or key; set it again with "
                + "functions.set_secret."
        );
}
