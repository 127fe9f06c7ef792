using System.Buffers;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>Reads the chunks of an object, the next one while the last is used.</summary>
internal sealed class PostgresObjectReader : ObjectReader
{
    /// <summary>
    /// How often a long read tells that it goes on. What was replaced or deleted is kept for two minutes at least, so that a short read
    /// need not tell.
    /// </summary>
    private static readonly TimeSpan HoldInterval = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan HoldTime = TimeSpan.FromMinutes(2);

    private readonly ContentStore contents;
    private readonly FoundObject found;
    private readonly Guid version;
    private readonly TimeProvider time;
    private readonly CancellationTokenSource ended = new();

    private byte[] used = ArrayPool<byte>.Shared.Rent(ContentStore.ChunkBytes);
    private byte[] coming = ArrayPool<byte>.Shared.Rent(ContentStore.ChunkBytes);
    private Task<int>? next;
    private (int Part, Guid Content)? current;
    private long place;
    private long left;
    private long heldAt;

    public PostgresObjectReader(ContentStore contents, FoundObject found, ObjectRange range, TimeProvider time)
    {
        (this.contents, this.found, this.time) = (contents, found, time);
        version = Guid.ParseExact(found.Head.Version, "N");
        (place, left) = (range.Offset, range.Length);
        heldAt = time.GetTimestamp();
    }

    /// <inheritdoc/>
    public override async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        if (left == 0 && next is null)
            return default;
        var length = await (next ??= LoadAsync()).WaitAsync(cancellationToken).ConfigureAwait(false);
        (used, coming) = (coming, used);
        next = left > 0 ? LoadAsync() : null;
        return used.AsMemory(0, length);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await ended.CancelAsync().ConfigureAwait(false);
        if (next is not null)
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ArrayPool<byte>.Shared.Return(used);
        ArrayPool<byte>.Shared.Return(coming);
        (used, coming, left, next) = ([], [], 0, null);
        ended.Dispose();
    }

    private async Task<int> LoadAsync()
    {
        await HoldAsync().ConfigureAwait(false);
        var (content, offset, size) = found.PartSize is { } partSize
            ? await FindPartAsync(partSize).ConfigureAwait(false)
            : (version, place, found.Head.Size);
        var start = (int)(offset % ContentStore.ChunkBytes);
        var length = (int)Math.Min(Math.Min(ContentStore.ChunkBytes - start, left), size - offset);
        var isThere = await contents
            .ReadChunkAsync(content, (int)(offset / ContentStore.ChunkBytes), start, coming.AsMemory(0, length), ended.Token)
            .ConfigureAwait(false);
        if (!isThere)
            throw StorageErrors.Lost();
        place += length;
        left -= length;
        return length;
    }

    private async Task<(Guid Content, long Offset, long Size)> FindPartAsync(long partSize)
    {
        var part = (int)(place / partSize);
        if (current is not { } known || known.Part != part)
        {
            var content = await contents.FindPartAsync(version, part, ended.Token).ConfigureAwait(false) ?? throw StorageErrors.Lost();
            current = known = (part, content);
        }
        return (known.Content, place % partSize, Math.Min(partSize, found.Head.Size - (part * partSize)));
    }

    private async Task HoldAsync()
    {
        if (time.GetElapsedTime(heldAt) < HoldInterval)
            return;
        heldAt = time.GetTimestamp();
        if (!await contents.HoldAsync(version, HoldTime, ended.Token).ConfigureAwait(false))
            throw StorageErrors.Lost();
    }
}

/// <summary>A small object's bytes, which came with its row.</summary>
internal sealed class SmallObjectReader(ReadOnlyMemory<byte> bytes) : ObjectReader
{
    private ReadOnlyMemory<byte> left = bytes;

    /// <inheritdoc/>
    public override ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellationToken)
    {
        var all = left;
        left = default;
        return new(all);
    }

    /// <inheritdoc/>
    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
