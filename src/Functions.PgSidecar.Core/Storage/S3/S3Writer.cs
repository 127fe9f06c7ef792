using Amazon.S3;
using Amazon.S3.Model;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>
/// Writes an object: what has at most eight megabytes by one request, else as parts of that size, because the service must be told the
/// length of each request.
/// </summary>
internal sealed class S3Writer(
    S3Backend backend,
    AmazonS3Client client,
    S3Parts parts,
    BucketAccess access,
    string key,
    ObjectMetadata metadata,
    GivenDigest? digest
) : ObjectWriter
{
    private const int PartBytes = 8 << 20;

    private readonly ObjectDigests digests = new(digest);
    private MemoryStream part = parts.Take();
    private string? upload;
    private long size;

    private S3Location Location => access.Bucket.S3!;
    private string Name => Location.Prefix + key;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        size += bytes.Length;
        if (size > access.Bucket.MaxObjectBytes)
            throw StorageErrors.TooLarge();
        digests.Append(bytes.Span);
        while (!bytes.IsEmpty)
        {
            if (part.Length == PartBytes)
                await SendPartAsync(cancellationToken).ConfigureAwait(false);
            var taken = (int)Math.Min(bytes.Length, PartBytes - part.Length);
            part.Write(bytes.Span[..taken]);
            bytes = bytes[taken..];
        }
    }

    /// <inheritdoc/>
    public override async Task<WrittenObject> CompleteAsync(ObjectCondition? condition, CancellationToken cancellationToken)
    {
        digests.Finish();
        if (upload is not null)
            await SendPartAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            string? ifMatch = null;
            if (condition is not null)
            {
                var present = await backend.FindAsync(access, key, withData: false, cancellationToken).ConfigureAwait(false);
                if (!condition.Holds(present?.Head))
                    return default;
                ifMatch = present is null ? "" : $"\"{present.Head.ETag}\"";
            }
            if (!await StoreAsync(ifMatch, cancellationToken).ConfigureAwait(false))
                continue; // it was changed between the look and the put
            upload = null;
            var stored = await backend.FindAsync(access, key, withData: false, cancellationToken).ConfigureAwait(false);
            return new WrittenObject(stored?.Head ?? throw StorageErrors.Lost(), null);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        digests.Dispose();
        await parts.DisposeAsync().ConfigureAwait(false);
        if (upload is null)
            return;
        try
        {
            await backend.AbortUploadAsync(access, key, upload, CancellationToken.None).ConfigureAwait(false);
        }
        catch (SidecarException)
        {
            // The service's own rule for incomplete uploads removes it; the documentation says to have one.
        }
    }

    /// <param name="ifMatch">The etag that the present object must have; empty: there must be none; null: whatever is there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>False if the present object is another one.</returns>
    private async Task<bool> StoreAsync(string? ifMatch, CancellationToken cancellationToken)
    {
        var (match, noneMatch) = (string.IsNullOrEmpty(ifMatch) ? null : ifMatch, ifMatch?.Length == 0 ? "*" : null);
        if (upload is not null)
        {
            var complete = new CompleteMultipartUploadRequest
            {
                BucketName = Location.Bucket,
                Key = Name,
                UploadId = upload,
                PartETags = await parts.CompleteAsync().ConfigureAwait(false),
                IfMatch = match,
                IfNoneMatch = noneMatch,
            };
            return await S3Calls.TryCallAsync(() => client.CompleteMultipartUploadAsync(complete, cancellationToken)).ConfigureAwait(false)
                is not null;
        }
        using var body = new MemoryStream(part.GetBuffer(), 0, (int)part.Length, writable: false);
        var put = new PutObjectRequest
        {
            BucketName = Location.Bucket,
            Key = Name,
            InputStream = body,
            AutoCloseStream = false,
            UseChunkEncoding = false,
            IfMatch = match,
            IfNoneMatch = noneMatch,
        };
        S3Metadata.Write(metadata, put.Headers, put.Metadata);
        return await S3Calls.TryCallAsync(() => client.PutObjectAsync(put, cancellationToken)).ConfigureAwait(false) is not null;
    }

    private async Task SendPartAsync(CancellationToken cancellationToken)
    {
        upload ??= await backend.BeginUploadAsync(access, key, metadata, cancellationToken).ConfigureAwait(false);
        await parts.SendAsync(new InitiatedUpload(Location.Bucket, Name, upload, cancellationToken), part).ConfigureAwait(false);
        part = parts.Take();
    }
}
