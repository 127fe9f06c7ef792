using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Authenticates stored programs. They are code and guest memory, which are trusted when they are loaded: whoever can write the table of
/// versions must not be able to inject them into the sidecar. So each is stored behind an HMAC-SHA256 with a key of the sidecar, over its
/// bytes and the version it belongs to.
/// </summary>
/// <param name="key">Derived from the key that the operator holds.</param>
internal sealed class ArtifactSeal(byte[] key)
{
    private const int TagBytes = HMACSHA256.HashSizeInBytes;

    /// <summary>Returns the tag, followed by the program.</summary>
    public byte[] Seal(VersionArtifact version, string engine, ReadOnlySpan<byte> program)
    {
        var stored = new byte[TagBytes + program.Length];
        program.CopyTo(stored.AsSpan(TagBytes));
        Compute(version, engine, program, stored.AsSpan(0, TagBytes));
        return stored;
    }

    /// <summary>Checks the tag and returns the program.</summary>
    /// <exception cref="InvalidDataException">No sidecar with this key has stored it for this version.</exception>
    public ReadOnlyMemory<byte> Open(VersionArtifact version, string engine, ReadOnlyMemory<byte> stored)
    {
        Span<byte> expected = stackalloc byte[TagBytes];
        if (stored.Length >= TagBytes)
            Compute(version, engine, stored.Span[TagBytes..], expected);
        return stored.Length >= TagBytes && CryptographicOperations.FixedTimeEquals(expected, stored.Span[..TagBytes])
            ? stored[TagBytes..]
            : throw new InvalidDataException("it was not stored by a sidecar with this secret key");
    }

    private void Compute(VersionArtifact version, string engine, ReadOnlySpan<byte> program, Span<byte> tag)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        Append(hash, Encoding.UTF8.GetBytes(version.Function));
        Append(hash, BitConverter.GetBytes(version.Version));
        Append(hash, Encoding.UTF8.GetBytes(version.Language));
        Append(hash, version.SourceHash);
        Append(hash, Encoding.UTF8.GetBytes(engine));
        Append(hash, program);
        hash.GetHashAndReset(tag);
    }

    /// <summary>Appends the part with its length, so that no bytes can move from one part to the next.</summary>
    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }
}
