using System.Buffers;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>
/// Writes an object or a part. What is small is stored at once; the rest is written as chunks while it arrives, some of them on their way
/// while the next is filled.
/// </summary>
internal sealed class PostgresObjectWriter : ObjectWriter
{
    /// <summary>Larger objects are chunks.</summary>
    public const int SmallBytes = 64 * 1024;

    /// <summary>The most bytes that are reserved at once, so that the limit of a bucket holds while objects arrive.</summary>
    private const long ReserveBytes = 64 << 20;

    /// <summary>
    /// The most chunks on their way. Each is written by a backend of the server, which takes longer to write than the network to send.
    /// </summary>
    private const int MaxSending = 3;

    private readonly ObjectStore objects;
    private readonly ContentStore contents;
    private readonly BucketAccess access;
    private readonly string key;
    private readonly ObjectMetadata metadata;
    private readonly ObjectDigests digests;
    private readonly PartOfUpload? part;
    private readonly Guid content = Guid.NewGuid();

    private byte[] filling = ArrayPool<byte>.Shared.Rent(ContentStore.ChunkBytes);
    private readonly Queue<(Task Task, byte[] Buffer)> sending = new();
    private int filled;
    private int chunks;
    private long size;
    private long reserved;
    private bool isOpen = true;

    public PostgresObjectWriter(
        ObjectStore objects,
        ContentStore contents,
        BucketAccess access,
        string key,
        ObjectMetadata metadata,
        GivenDigest? digest,
        PartOfUpload? part
    )
    {
        (this.objects, this.contents, this.access) = (objects, contents, access);
        (this.key, this.metadata, this.part) = (key, metadata, part);
        digests = new ObjectDigests(digest);
    }

    /// <summary>Stores what was written as a part of an upload.</summary>
    public delegate Task StorePart(Guid content, long size, int chunks, byte[] md5, CancellationToken cancellationToken);

    /// <summary>Which part of which upload is written.</summary>
    public sealed record PartOfUpload(Guid Upload, int Number, StorePart Store);

    private Guid Version => part?.Upload ?? content;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (size + bytes.Length > access.Bucket.MaxObjectBytes)
            throw StorageErrors.TooLarge();
        size += bytes.Length;
        digests.Append(bytes.Span);
        while (!bytes.IsEmpty)
        {
            if (filled == ContentStore.ChunkBytes)
                await SendAsync(cancellationToken).ConfigureAwait(false);
            var taken = Math.Min(bytes.Length, ContentStore.ChunkBytes - filled);
            bytes[..taken].CopyTo(filling.AsMemory(filled));
            filled += taken;
            bytes = bytes[taken..];
        }
    }

    /// <inheritdoc/>
    public override async Task<WrittenObject> CompleteAsync(ObjectCondition? condition, CancellationToken cancellationToken)
    {
        var (md5, checksums) = digests.Finish();
        if (part is not null)
        {
            await SendRestAsync(cancellationToken).ConfigureAwait(false);
            await part.Store(content, size, chunks, md5, cancellationToken).ConfigureAwait(false);
            isOpen = false;
            return new WrittenObject(null, new UploadedPart(part.Number, Convert.ToHexStringLower(md5)));
        }
        byte[]? small = null;
        if (chunks == 0 && filled <= SmallBytes)
            small = filling[..filled];
        else
            await SendRestAsync(cancellationToken).ConfigureAwait(false);
        var head = new ObjectHead(key, content.ToString("N"), size, Convert.ToHexStringLower(md5), metadata, checksums, default);
        while (true)
        {
            Guid? expected = null;
            if (condition is not null)
            {
                var present = await objects.FindAsync(access, key, withData: false, cancellationToken).ConfigureAwait(false);
                if (!condition.Holds(present?.Head))
                    return default;
                expected = present is null ? Guid.Empty : Guid.ParseExact(present.Head.Version, "N");
            }
            var stored = await objects
                .PutAsync(access, head, small, small is null ? chunks : null, expected, cancellationToken)
                .ConfigureAwait(false);
            if (stored is not { } uploaded)
                continue; // it was changed between the look and the put
            isOpen = false;
            return new WrittenObject(head with { Uploaded = uploaded }, null);
        }
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        try
        {
            // Their buffers are in use until then.
            await Task.WhenAll(sending.Select(one => one.Task)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (isOpen && reserved > 0)
                await contents.DiscardAsync(content, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (BucketStore.Explain(e) is not null)
        {
            // The worker removes it, at the latest after a day.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(filling);
            while (sending.TryDequeue(out var one))
                ArrayPool<byte>.Shared.Return(one.Buffer);
            filling = [];
            digests.Dispose();
        }
    }

    private async Task SendRestAsync(CancellationToken cancellationToken)
    {
        if (filled > 0 || chunks == 0)
            await SendAsync(cancellationToken).ConfigureAwait(false);
        while (sending.Count > 0)
            ArrayPool<byte>.Shared.Return(await TakeSentAsync().ConfigureAwait(false));
    }

    /// <summary>Waits for the chunk that was sent first; its buffer is free then.</summary>
    private async Task<byte[]> TakeSentAsync()
    {
        await sending.Peek().Task.ConfigureAwait(false);
        return sending.Dequeue().Buffer;
    }

    private async Task SendAsync(CancellationToken cancellationToken)
    {
        var written = (long)chunks * ContentStore.ChunkBytes;
        if (chunks == 0 || written + filled > reserved)
        {
            // As much again as there is, so that few steps are needed; near the bucket's limit only what is there.
            var step = Math.Clamp(written, Math.Max(filled, 1), ReserveBytes);
            if (!await ReserveAsync(step, cancellationToken).ConfigureAwait(false))
            {
                step = Math.Max(filled, 1);
                if (!await ReserveAsync(step, cancellationToken).ConfigureAwait(false))
                    throw StorageErrors.Full(access.Name);
            }
            reserved += step;
        }
        var free =
            sending.Count == MaxSending
                ? await TakeSentAsync().ConfigureAwait(false)
                : ArrayPool<byte>.Shared.Rent(ContentStore.ChunkBytes);
        sending.Enqueue((contents.WriteChunkAsync(content, chunks++, filling.AsMemory(0, filled), cancellationToken), filling));
        (filling, filled) = (free, 0);
    }

    private Task<bool> ReserveAsync(long bytes, CancellationToken cancellationToken) =>
        contents.TryReserveAsync(content, Version, access.Name, bytes, isNew: reserved == 0, cancellationToken);
}
