using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>The checksums of an object, computed while it arrives: MD5 always, and the one that was given. Not thread-safe.</summary>
internal sealed class ObjectDigests : IDisposable
{
    private readonly GivenDigest? given;
    private readonly IncrementalHash md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
    private readonly IncrementalHash? other;

    /// <param name="given">What the bytes must have.</param>
    public ObjectDigests(GivenDigest? given)
    {
        this.given = given;
        if (given is not null and not { Algorithm: "md5" })
            other = IncrementalHash.CreateHash(new HashAlgorithmName(given.Algorithm.ToUpperInvariant()));
    }

    /// <summary>The next bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        md5.AppendData(bytes);
        other?.AppendData(bytes);
    }

    /// <summary>The MD5 and the checksums as JSON.</summary>
    /// <exception cref="SidecarException">PGFN5806: the bytes do not have the given checksum.</exception>
    public (byte[] Md5, string Checksums) Finish()
    {
        var actualMd5 = md5.GetHashAndReset();
        var actual = other?.GetHashAndReset();
        if (given is not null && !given.Value.AsSpan().SequenceEqual(actual ?? actualMd5))
            throw StorageErrors.WrongDigest(NameOf(given.Algorithm), given.Value, actual ?? actualMd5);
        var checksums = new Dictionary<string, string> { ["md5"] = Convert.ToHexStringLower(actualMd5) };
        if (actual is not null)
            checksums[given!.Algorithm] = Convert.ToHexStringLower(actual);
        return (actualMd5, JsonSerializer.Serialize(checksums));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        md5.Dispose();
        other?.Dispose();
    }

    /// <summary>The etag of an object from parts, as S3 and R2 compute it: the MD5 of the parts' MD5s, and how many there are.</summary>
    public static string ETagOfParts(IReadOnlyCollection<byte[]> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        foreach (var part in parts)
            hash.AppendData(part);
        return string.Create(CultureInfo.InvariantCulture, $"{Convert.ToHexStringLower(hash.GetHashAndReset())}-{parts.Count}");
    }

    /// <summary>How many bytes a checksum has; 0 if the algorithm is unknown.</summary>
    public static int LengthOf(string algorithm) =>
        algorithm switch
        {
            "md5" => 16,
            "sha1" => 20,
            "sha256" => 32,
            "sha384" => 48,
            "sha512" => 64,
            _ => 0,
        };

    private static string NameOf(string algorithm) => algorithm == "md5" ? "MD5" : "SHA-" + algorithm[3..];
}
