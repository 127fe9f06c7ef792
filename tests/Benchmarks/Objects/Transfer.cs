using System.Diagnostics;
using System.Security.Cryptography;

namespace Functions.PgSidecar.Benchmarks.Objects;

/// <summary>Large objects over HTTP. Rates are in MB/s, of 1,000,000 bytes each.</summary>
internal static class Transfer
{
    /// <summary>Of all large objects. Random bytes, which nothing on the way can compress.</summary>
    public const int Bytes = 256 << 20;

    private const int BufferBytes = 1 << 20;

    /// <summary>Puts an object; the time ends when the server has said that it is stored.</summary>
    public static async Task<double> UploadAsync(HttpClient client, Uri url, byte[] bytes, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(bytes);
        var began = Stopwatch.GetTimestamp();
        using var response = await client.PutAsync(url, content, cancellationToken);
        response.EnsureSuccessStatusCode();
        return Rate(bytes.Length, began);
    }

    /// <summary>Gets an object and reads it to its end.</summary>
    public static async Task<double> DownloadAsync(HttpClient client, Uri url, CancellationToken cancellationToken)
    {
        var buffer = new byte[BufferBytes];
        var (length, began) = (0L, Stopwatch.GetTimestamp());
        await using var stream = await client.GetStreamAsync(url, cancellationToken);
        while (await stream.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            length += read;
        return length == Bytes ? Rate(length, began) : throw new InvalidOperationException($"{url} gave {length} of {Bytes} bytes.");
    }

    /// <summary>The SHA-256 of an object.</summary>
    public static async Task<string> DigestAsync(HttpClient client, Uri url, CancellationToken cancellationToken)
    {
        await using var stream = await client.GetStreamAsync(url, cancellationToken);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken));
    }

    /// <summary>MB/s since a time stamp.</summary>
    public static double Rate(long bytes, long began) => bytes / 1e6 / Stopwatch.GetElapsedTime(began).TotalSeconds;
}
