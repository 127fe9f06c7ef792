using static Functions.PgSidecar.Core.Storage.Postgres.StorageDatabase;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>Uploads of objects in parts.</summary>
internal sealed class UploadStore(StorageDatabase database)
{
    /// <summary>Begins one.</summary>
    public async Task BeginAsync(Guid upload, BucketAccess access, string key, ObjectMetadata metadata, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            "select functions_private.begin_upload($1, $2, $3, $4, $5, $6, $7)",
            upload,
            access.Name,
            key,
            metadata.Http,
            metadata.Custom,
            metadata.StorageClass,
            Text(access.Subject)
        );
        if (!(bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!)
            throw StorageErrors.NoBucket(access.Name);
    }

    /// <summary>The metadata of an upload of this key that the caller sees; null if there is none.</summary>
    public async Task<ObjectMetadata?> FindAsync(Guid upload, BucketAccess access, string key, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            """
            select http_metadata, custom_metadata, storage_class from functions_private.object_uploads
            where id = $1 and bucket = $2 and key = $3 and ($4::text is null or owner = $4)
            """,
            upload,
            access.Name,
            key,
            Text(access.OnlyOwner)
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new ObjectMetadata(reader.GetString(0), reader.GetString(1), reader.GetString(2))
            : null;
    }

    /// <summary>Makes a content a part.</summary>
    public async Task PutPartAsync(
        Guid upload,
        int part,
        Guid content,
        long size,
        int chunks,
        byte[] md5,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.Command(
            "select functions_private.put_part($1, $2, $3, $4, $5, $6)",
            upload,
            part,
            content,
            size,
            chunks,
            md5
        );
        switch ((string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!)
        {
            case "stored":
                return;
            case "no_upload":
                throw StorageErrors.NoUpload();
            default:
                throw StorageErrors.Lost();
        }
    }

    /// <summary>The parts that an upload has, by number.</summary>
    public async Task<Dictionary<int, (Guid Content, long Size, byte[] Md5)>> PartsAsync(Guid upload, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            "select part, content, size, md5 from functions_private.object_upload_parts where upload = $1",
            upload
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var parts = new Dictionary<int, (Guid, long, byte[])>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            parts[reader.GetInt32(0)] = (reader.GetGuid(1), reader.GetInt64(2), reader.GetFieldValue<byte[]>(3));
        return parts;
    }

    /// <summary>Makes an object of parts.</summary>
    /// <returns>When.</returns>
    public async Task<DateTimeOffset?> CompleteAsync(
        Guid upload,
        BucketAccess access,
        Guid[] contents,
        long size,
        string etag,
        long partSize,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.Command(
            "select outcome, uploaded from functions_private.complete_upload($1, $2, $3, $4, $5, $6)",
            upload,
            contents,
            size,
            etag,
            partSize,
            Text(access.OnlyOwner)
        );
        return await ObjectStore.OutcomeAsync(command, access.Name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes an upload.</summary>
    public async Task AbortAsync(Guid upload, CancellationToken cancellationToken)
    {
        await using var command = database.Command("select functions_private.abort_upload($1)", upload);
        await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }
}
