using System.Buffers;
using Amazon.S3;
using Amazon.S3.Model;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>Reads the bytes of an object while they arrive.</summary>
internal sealed class S3Reader(AmazonS3Client client, S3Location location, FoundObject found, ObjectRange range) : ObjectReader
{
    private const int ChunkBytes = 256 * 1024;

    private readonly byte[] chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
    private GetObjectResponse? response;
    private long left = range.Length;

    /// <inheritdoc/>
    public override async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        if (left == 0)
            return default;
        response ??= await S3Calls.TryCallAsync(() => client.GetObjectAsync(Request(), cancellationToken)).ConfigureAwait(false)
            ?? throw StorageErrors.Lost();
        var wanted = (int)Math.Min(ChunkBytes, left);
        var read = await S3Calls
            .CallAsync(() => response.ResponseStream.ReadAtLeastAsync(chunk.AsMemory(0, wanted), wanted, false, cancellationToken).AsTask())
            .ConfigureAwait(false);
        left -= read;
        return read == wanted ? chunk.AsMemory(0, read) : throw StorageErrors.Lost();
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        response?.Dispose();
        ArrayPool<byte>.Shared.Return(chunk);
        return ValueTask.CompletedTask;
    }

    private GetObjectRequest Request()
    {
        var request = new GetObjectRequest
        {
            BucketName = location.Bucket,
            Key = location.Prefix + found.Head.Key,
            EtagToMatch = $"\"{found.Head.ETag}\"",
        };
        if (range.Length < found.Head.Size)
            request.ByteRange = new ByteRange(range.Offset, range.Offset + range.Length - 1);
        return request;
    }
}
