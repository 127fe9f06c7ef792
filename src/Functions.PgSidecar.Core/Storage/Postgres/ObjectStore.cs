using Npgsql;
using static Functions.PgSidecar.Core.Storage.Postgres.StorageDatabase;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>The rows of objects.</summary>
internal sealed class ObjectStore(StorageDatabase database)
{
    private const string Columns = "key, version, size, etag, http_metadata, custom_metadata, storage_class, checksums, uploaded";

    /// <summary>Finds an object; null if there is none that the caller sees.</summary>
    public async Task<FoundObject?> FindAsync(BucketAccess access, string key, bool withData, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            withData
                ? $"select {Columns}, part_size, data from functions_private.objects where bucket = $1 and key = $2 and ($3::text is null or owner = $3)"
                : $"select {Columns}, part_size from functions_private.objects where bucket = $1 and key = $2 and ($3::text is null or owner = $3)",
            access.Name,
            key,
            Text(access.OnlyOwner)
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            return null;
        return new FoundObject(
            HeadOf(reader, 0),
            !withData || reader.IsDBNull(10) ? null : reader.GetFieldValue<byte[]>(10),
            reader.IsDBNull(9) ? null : reader.GetInt64(9)
        );
    }

    /// <summary>Stores an object: its bytes, or the chunks of the content that has its version.</summary>
    /// <returns>When; null: the present object does not have the expected version.</returns>
    /// <exception cref="SidecarException">The bucket is full or does not exist, the object is another user's, or chunks are
    /// lost.</exception>
    public async Task<DateTimeOffset?> PutAsync(
        BucketAccess access,
        ObjectHead head,
        byte[]? data,
        int? chunks,
        Guid? expected,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.Command(
            "select outcome, uploaded from functions_private.put_object($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            access.Name,
            head.Key,
            Guid.ParseExact(head.Version, "N"),
            head.Size,
            head.ETag,
            head.Checksums,
            head.Metadata.Http,
            head.Metadata.Custom,
            head.Metadata.StorageClass,
            Text(access.Subject),
            Bytes(data),
            Number(chunks),
            Large(null),
            Uuid(expected),
            Text(access.OnlyOwner)
        );
        return await OutcomeAsync(command, access.Name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes objects.</summary>
    public async Task DeleteAsync(BucketAccess access, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            "select functions_private.delete_objects($1, $2, $3)",
            access.Name,
            keys.ToArray(),
            Text(access.OnlyOwner)
        );
        await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Lists objects and common beginnings of keys, in the order of the keys.</summary>
    public async Task<List<(string? Prefix, ObjectHead? Head)>> ListAsync(
        BucketAccess access,
        string prefix,
        string? after,
        string? delimiter,
        int limit,
        CancellationToken cancellationToken
    )
    {
        await using var command = database.Command(
            $"select delimited, {Columns} from functions_private.list_objects($1, $2, $3, $4, $5, $6)",
            access.Name,
            prefix,
            Text(after),
            Text(delimiter),
            limit,
            Text(access.OnlyOwner)
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var found = new List<(string?, ObjectHead?)>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            found.Add(reader.IsDBNull(0) ? (null, HeadOf(reader, 1)) : (reader.GetString(0), null));
        return found;
    }

    /// <summary>Reads the result of <c>put_object</c> and <c>complete_upload</c>.</summary>
    public static async Task<DateTimeOffset?> OutcomeAsync(NpgsqlCommand command, string bucket, CancellationToken cancellationToken)
    {
        try
        {
            await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            return reader.GetString(0) switch
            {
                "stored" => new DateTimeOffset(reader.GetDateTime(1)),
                "changed" => null,
                "forbidden" => throw StorageErrors.OthersObject(),
                "no_upload" => throw StorageErrors.NoUpload(),
                _ => throw StorageErrors.NoBucket(bucket),
            };
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ProgramLimitExceeded)
        {
            throw StorageErrors.Full(bucket);
        }
    }

    private static ObjectHead HeadOf(NpgsqlDataReader reader, int first) =>
        new(
            reader.GetString(first),
            reader.GetGuid(first + 1).ToString("N"),
            reader.GetInt64(first + 2),
            reader.GetString(first + 3),
            new ObjectMetadata(reader.GetString(first + 4), reader.GetString(first + 5), reader.GetString(first + 6)),
            reader.GetString(first + 7),
            new DateTimeOffset(reader.GetDateTime(first + 8))
        );
}
