using System.Text.Json;
using Amazon.S3;
using Amazon.S3.Model;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>Objects in a bucket of a service that speaks S3.</summary>
internal sealed class S3Backend(S3Clients clients) : IObjectBackend
{
    private static readonly ObjectMetadata Unknown = new("{}", "{}", "Standard");

    /// <inheritdoc/>
    public async Task<FoundObject?> FindAsync(BucketAccess access, string key, bool withData, CancellationToken cancellationToken)
    {
        var (client, location) = Of(access);
        if (key.Length == 0)
            return null;
        var request = new GetObjectMetadataRequest { BucketName = location.Bucket, Key = location.Prefix + key };
        var answer = await S3Calls.TryCallAsync(() => client.GetObjectMetadataAsync(request, cancellationToken)).ConfigureAwait(false);
        if (answer is null)
            return null;
        var metadata = S3Metadata.Read(answer.Headers, answer.Metadata, answer.ExpiresString);
        return new FoundObject(Head(key, answer.ContentLength, answer.ETag, answer.VersionId, answer.LastModified, metadata), null, null);
    }

    /// <inheritdoc/>
    public ObjectReader Read(BucketAccess access, FoundObject found, ObjectRange range)
    {
        var (client, location) = Of(access);
        return new S3Reader(client, location, found, range);
    }

    /// <inheritdoc/>
    public ObjectWriter Write(BucketAccess access, string key, ObjectMetadata metadata, GivenDigest? digest)
    {
        if (key.Length == 0)
            throw StorageErrors.InvalidKey();
        var client = Of(access).Client;
        return new S3Writer(this, client, new S3Parts(client, clients.OtherParts), access, key, metadata, digest);
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(BucketAccess access, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var (client, location) = Of(access);
        // One after the other: not every service can delete several at once.
        foreach (var key in keys.Where(key => key.Length > 0))
        {
            var request = new DeleteObjectRequest { BucketName = location.Bucket, Key = location.Prefix + key };
            await S3Calls.TryCallAsync(() => client.DeleteObjectAsync(request, cancellationToken)).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task<ObjectList> ListAsync(BucketAccess access, ObjectListRequest request, CancellationToken cancellationToken)
    {
        var (client, location) = Of(access);
        var list = new ListObjectsV2Request
        {
            BucketName = location.Bucket,
            Prefix = location.Prefix + request.Prefix,
            Delimiter = request.Delimiter,
            MaxKeys = request.Limit,
            ContinuationToken = request.Cursor,
            StartAfter = request.StartAfter is null ? null : location.Prefix + request.StartAfter,
        };
        var answer = await S3Calls.CallAsync(() => client.ListObjectsV2Async(list, cancellationToken)).ConfigureAwait(false);
        return new ObjectList(
            [
                .. (answer.S3Objects ?? []).Select(one =>
                    Head(one.Key[location.Prefix.Length..], one.Size ?? 0, one.ETag, null, one.LastModified, Unknown)
                ),
            ],
            [.. (answer.CommonPrefixes ?? []).Select(prefix => prefix[location.Prefix.Length..])],
            answer.IsTruncated == true ? answer.NextContinuationToken : null
        );
    }

    /// <inheritdoc/>
    public async Task<string> BeginUploadAsync(
        BucketAccess access,
        string key,
        ObjectMetadata metadata,
        CancellationToken cancellationToken
    )
    {
        var (client, location) = Of(access);
        var request = new InitiateMultipartUploadRequest { BucketName = location.Bucket, Key = location.Prefix + key };
        S3Metadata.Write(metadata, request.Headers, request.Metadata);
        return (
            await S3Calls.CallAsync(() => client.InitiateMultipartUploadAsync(request, cancellationToken)).ConfigureAwait(false)
        ).UploadId;
    }

    /// <inheritdoc/>
    public Task<ObjectWriter> WritePartAsync(
        BucketAccess access,
        string key,
        string uploadId,
        int part,
        CancellationToken cancellationToken
    ) => Task.FromResult<ObjectWriter>(new S3PartWriter(Of(access).Client, access, key, uploadId, part));

    /// <inheritdoc/>
    public async Task<ObjectHead> CompleteUploadAsync(
        BucketAccess access,
        string key,
        string uploadId,
        IReadOnlyList<UploadedPart> parts,
        CancellationToken cancellationToken
    )
    {
        var (client, location) = Of(access);
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = location.Bucket,
            Key = location.Prefix + key,
            UploadId = uploadId,
            PartETags = [.. parts.OrderBy(part => part.Number).Select(part => new PartETag(part.Number, part.ETag))],
        };
        await S3Calls.CallAsync(() => client.CompleteMultipartUploadAsync(request, cancellationToken)).ConfigureAwait(false);
        var found = await FindAsync(access, key, withData: false, cancellationToken).ConfigureAwait(false);
        return found?.Head ?? throw StorageErrors.Lost();
    }

    /// <inheritdoc/>
    public async Task AbortUploadAsync(BucketAccess access, string key, string uploadId, CancellationToken cancellationToken)
    {
        var (client, location) = Of(access);
        var request = new AbortMultipartUploadRequest
        {
            BucketName = location.Bucket,
            Key = location.Prefix + key,
            UploadId = uploadId,
        };
        try
        {
            await S3Calls.CallAsync(() => client.AbortMultipartUploadAsync(request, cancellationToken)).ConfigureAwait(false);
        }
        catch (SidecarException e) when (e.Code == StorageErrors.NoUploadCode)
        {
            // Completed, or aborted before.
        }
    }

    private (AmazonS3Client Client, S3Location Location) Of(BucketAccess access) => (clients.For(access.Bucket.S3!), access.Bucket.S3!);

    private static ObjectHead Head(string key, long size, string etag, string? version, DateTime? uploaded, ObjectMetadata metadata)
    {
        var tag = etag.Trim('"');
        var isMd5 = tag.Length == 32 && tag.All(char.IsAsciiHexDigitLower);
        var checksums = isMd5 ? JsonSerializer.Serialize(new Dictionary<string, string> { ["md5"] = tag }) : "{}";
        var time = new DateTimeOffset((uploaded ?? DateTime.UnixEpoch).ToUniversalTime());
        return new ObjectHead(key, version ?? tag, size, tag, metadata, checksums, time);
    }
}
