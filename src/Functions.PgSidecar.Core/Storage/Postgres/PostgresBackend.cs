using System.Text;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>Objects in tables of the database.</summary>
internal sealed class PostgresBackend(ObjectStore objects, ContentStore contents, UploadStore uploads, TimeProvider time) : IObjectBackend
{
    /// <summary>The least size of a part that is not the last, as in R2 and S3.</summary>
    private const long MinPartBytes = 5 << 20;

    /// <inheritdoc/>
    public Task<FoundObject?> FindAsync(BucketAccess access, string key, bool withData, CancellationToken cancellationToken) =>
        objects.FindAsync(access, key, withData, cancellationToken);

    /// <inheritdoc/>
    public ObjectReader Read(BucketAccess access, FoundObject found, ObjectRange range) =>
        found.Data is { } data
            ? new SmallObjectReader(data.AsMemory((int)range.Offset, (int)range.Length))
            : new PostgresObjectReader(contents, found, range, time);

    /// <inheritdoc/>
    public ObjectWriter Write(BucketAccess access, string key, ObjectMetadata metadata, GivenDigest? digest) =>
        new PostgresObjectWriter(objects, contents, access, key, metadata, digest, part: null);

    /// <inheritdoc/>
    public Task DeleteAsync(BucketAccess access, IReadOnlyList<string> keys, CancellationToken cancellationToken) =>
        objects.DeleteAsync(access, keys, cancellationToken);

    /// <inheritdoc/>
    public async Task<ObjectList> ListAsync(BucketAccess access, ObjectListRequest request, CancellationToken cancellationToken)
    {
        var after = request.Cursor is null ? request.StartAfter : Decode(request.Cursor);
        // One more than asked for tells whether the list is complete.
        var found = await objects
            .ListAsync(access, request.Prefix, after, request.Delimiter, request.Limit + 1, cancellationToken)
            .ConfigureAwait(false);
        var listed = found.Take(request.Limit).ToList();
        string? cursor = null;
        if (found.Count > request.Limit)
            cursor = listed[^1].Head is { } head ? Encode('k', head.Key) : Encode('p', listed[^1].Prefix!);
        return new ObjectList(
            [.. listed.Where(one => one.Head is not null).Select(one => one.Head!)],
            [.. listed.Where(one => one.Prefix is not null).Select(one => one.Prefix!)],
            cursor
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
        var upload = Guid.NewGuid();
        await uploads.BeginAsync(upload, access, key, metadata, cancellationToken).ConfigureAwait(false);
        return upload.ToString("N");
    }

    /// <inheritdoc/>
    public async Task<ObjectWriter> WritePartAsync(
        BucketAccess access,
        string key,
        string uploadId,
        int part,
        CancellationToken cancellationToken
    )
    {
        var (upload, metadata) = await FindUploadAsync(access, key, uploadId, cancellationToken).ConfigureAwait(false);
        return new PostgresObjectWriter(
            objects,
            contents,
            access,
            key,
            metadata,
            null,
            new PostgresObjectWriter.PartOfUpload(upload, part, (content, size, chunks, md5, token) =>
                uploads.PutPartAsync(upload, part, content, size, chunks, md5, token)
            )
        );
    }

    /// <inheritdoc/>
    public async Task<ObjectHead> CompleteUploadAsync(
        BucketAccess access,
        string key,
        string uploadId,
        IReadOnlyList<UploadedPart> parts,
        CancellationToken cancellationToken
    )
    {
        var (upload, metadata) = await FindUploadAsync(access, key, uploadId, cancellationToken).ConfigureAwait(false);
        var known = await uploads.PartsAsync(upload, cancellationToken).ConfigureAwait(false);
        var chosen = parts
            .OrderBy(part => part.Number)
            .Select(part =>
                known.TryGetValue(part.Number, out var one) && Convert.ToHexStringLower(one.Md5) == part.ETag
                    ? one
                    : throw StorageErrors.NoPart()
            )
            .ToList();
        if (chosen.Count == 0 || parts.DistinctBy(part => part.Number).Count() < parts.Count)
            throw StorageErrors.NoPart();
        var partSize = chosen[0].Size;
        if (chosen.SkipLast(1).Any(part => part.Size < MinPartBytes))
            throw StorageErrors.PartTooSmall();
        // All but the last are equal, as in R2, so that a place in the object tells its part.
        if (chosen.SkipLast(1).Any(part => part.Size != partSize) || chosen[^1].Size > partSize)
            throw StorageErrors.UnequalParts();
        var size = chosen.Sum(part => part.Size);
        if (size > access.Bucket.MaxObjectBytes)
            throw StorageErrors.TooLarge();
        var etag = ObjectDigests.ETagOfParts([.. chosen.Select(part => part.Md5)]);
        var uploaded = await uploads
            .CompleteAsync(upload, access, [.. chosen.Select(part => part.Content)], size, etag, Math.Max(partSize, 1), cancellationToken)
            .ConfigureAwait(false);
        return new ObjectHead(key, upload.ToString("N"), size, etag, metadata, "{}", uploaded!.Value);
    }

    /// <inheritdoc/>
    public async Task AbortUploadAsync(BucketAccess access, string key, string uploadId, CancellationToken cancellationToken)
    {
        if (
            Guid.TryParseExact(uploadId, "N", out var upload)
            && await uploads.FindAsync(upload, access, key, cancellationToken).ConfigureAwait(false) is not null
        )
            await uploads.AbortAsync(upload, cancellationToken).ConfigureAwait(false);
    }

    private async Task<(Guid Upload, ObjectMetadata Metadata)> FindUploadAsync(
        BucketAccess access,
        string key,
        string uploadId,
        CancellationToken cancellationToken
    ) =>
        Guid.TryParseExact(uploadId, "N", out var upload)
        && await uploads.FindAsync(upload, access, key, cancellationToken).ConfigureAwait(false) is { } metadata
            ? (upload, metadata)
            : throw StorageErrors.NoUpload();

    /// <summary>The cursor behind a key, or behind all keys that begin so.</summary>
    private static string Encode(char kind, string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(kind + text));

    private static string Decode(string cursor)
    {
        var text = Encoding.UTF8.GetString(Convert.FromBase64String(cursor));
        if (text.Length == 0 || text[0] is not ('k' or 'p') || !ObjectKeys.IsText(text[1..]))
            throw new FormatException();
        // No key is longer than these characters, the greatest there are.
        return text[0] == 'k' ? text[1..] : text[1..] + string.Concat(Enumerable.Repeat("\U0010FFFF", (ObjectKeys.MaxBytes / 4) + 1));
    }
}
