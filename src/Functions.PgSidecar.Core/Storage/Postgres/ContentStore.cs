using System.Data;
using Functions.PgSidecar.Core.Registry;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>Contents: the bytes of large objects, in chunks.</summary>
internal sealed class ContentStore(StorageDatabase database, SidecarIdentity sidecar)
{
    /// <summary>The bytes of a chunk; the last one of a content has fewer.</summary>
    public const int ChunkBytes = 256 * 1024;

    /// <summary>Makes a content, or reserves further bytes for it.</summary>
    /// <returns>False if the bucket may not have them.</returns>
    /// <exception cref="SidecarException">The bucket does not exist, or the content was removed.</exception>
    public async Task<bool> TryReserveAsync(
        Guid content,
        Guid version,
        string bucket,
        long bytes,
        bool isNew,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.Command(
            "select functions_private.reserve_content($1, $2, $3, $4, $5, $6)",
            content,
            version,
            bucket,
            sidecar.Id,
            bytes,
            isNew
        );
        switch ((string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!)
        {
            case "ok":
                return true;
            case "full":
                return false;
            case "no_bucket":
                throw StorageErrors.NoBucket(bucket);
            default:
                throw StorageErrors.Lost();
        }
    }

    /// <summary>
    /// Writes a chunk. It is not on the disk when this returns: storing the object waits for that, and counts the chunks. The content's row
    /// is locked, so it can't be removed at this moment, which would leave a chunk that nothing removes.
    /// </summary>
    /// <exception cref="SidecarException">PGFN5812: the content was removed.</exception>
    public async Task WriteChunkAsync(Guid content, int ordinal, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            """
            with settings as materialized (select set_config('synchronous_commit', 'off', true)),
            content as materialized (
                select id from functions_private.object_contents where id = $1 and retired_at is null for key share
            )
            insert into functions_private.object_chunks (content, ordinal, bytes) select c.id, $2, $3 from content c, settings
            """,
            content,
            ordinal,
            bytes
        );
        if (await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 0)
            throw StorageErrors.Lost();
    }

    /// <summary>Reads a part of a chunk.</summary>
    /// <returns>Whether all of it is there.</returns>
    public async Task<bool> ReadChunkAsync(Guid content, int ordinal, int offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        var isWhole = offset == 0 && into.Length == ChunkBytes;
        await using var command = isWhole
            ? database.Command("select bytes from functions_private.object_chunks where content = $1 and ordinal = $2", content, ordinal)
            : database.Command(
                "select substring(bytes from $3 for $4) from functions_private.object_chunks where content = $1 and ordinal = $2",
                content,
                ordinal,
                offset + 1,
                into.Length
            );
        await using var reader = await command
            .ExecuteReaderAsync(CommandBehavior.SequentialAccess, cancellationToken)
            .ConfigureAwait(false);
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            return false;
        await using var bytes = await reader.GetStreamAsync(0, cancellationToken).ConfigureAwait(false);
        return await bytes.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)
            == into.Length;
    }

    /// <summary>The content of an object's part.</summary>
    public async Task<Guid?> FindPartAsync(Guid version, int ordinal, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            "select content from functions_private.object_parts where version = $1 and ordinal = $2",
            version,
            ordinal
        );
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as Guid?;
    }

    /// <summary>Keeps the contents of a version for a reader, should it be replaced or deleted.</summary>
    /// <returns>Whether they are there.</returns>
    public async Task<bool> HoldAsync(Guid version, TimeSpan time, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            "update functions_private.object_contents set read_until = greatest(read_until, now() + $2) where version = $1",
            version,
            time
        );
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) > 0;
    }

    /// <summary>Removes a content that its writer gave up.</summary>
    public async Task DiscardAsync(Guid content, CancellationToken cancellationToken)
    {
        await using var command = database.Command("select functions_private.discard_content($1)", content);
        await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }
}
