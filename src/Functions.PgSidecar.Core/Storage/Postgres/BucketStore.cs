using System.Text.Json;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Core.Storage.S3;
using Functions.PgSidecar.Postgres.Errors;
using Npgsql;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>The definitions of buckets.</summary>
internal sealed class BucketStore(StorageDatabase database, SecretBox secrets)
{
    /// <summary>What a failed operation means; null if the database did not cause the failure.</summary>
    public static SidecarException? Explain(Exception failure) =>
        failure switch
        {
            PostgresException { SqlState: PostgresErrorCodes.ObjectNotInPrerequisiteState } => StorageErrors.Lost(),
            PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter } =>
                StorageErrors.InvalidKey(),
            NpgsqlException => new SidecarException(
                SqlErrorCodes.Unavailable,
                503,
                "The bucket can't be reached: the database does not answer.",
                failure
            ),
            _ => null,
        };

    /// <summary>Reads a bucket's definition; null if there is none.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="isOfCode">Whether a bucket with the code of functions is wanted, or one of those that functions use.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<BucketDefinition?> LoadAsync(string name, bool isOfCode, CancellationToken cancellationToken)
    {
        await using var command = database.Command(
            """
            select b.public, b.owned, b.max_object_bytes, b.signing_key, p.role, p.prefix, p.rights, b.s3, b.s3_secret, b.held
            from functions_private.buckets b left join functions_private.bucket_policies p on p.bucket = b.name
            where b.name = $1 and b.code = $2
            """,
            name,
            isOfCode
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        BucketDefinition? bucket = null;
        var policies = new List<BucketPolicy>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            bucket ??= new BucketDefinition(
                name,
                reader.GetBoolean(0),
                reader.GetBoolean(1),
                reader.GetInt64(2),
                reader.GetFieldValue<byte[]>(3),
                policies
            )
            {
                S3 = reader.IsDBNull(7) ? null : Location(name, reader.GetString(7), reader.GetFieldValue<byte[]>(8)),
                IsHeld = reader.GetBoolean(9),
            };
            if (!reader.IsDBNull(4))
                policies.Add(new BucketPolicy(reader.GetString(4), reader.GetString(5), reader.GetFieldValue<string[]>(6)));
        }
        return bucket;
    }

    private S3Location Location(string name, string text, byte[] secret)
    {
        using var json = JsonDocument.Parse(text);
        var s3 = json.RootElement;
        return new S3Location(
            s3.GetProperty("endpoint"u8).GetString()!,
            s3.GetProperty("region"u8).GetString()!,
            s3.GetProperty("bucket"u8).GetString()!,
            s3.GetProperty("prefix"u8).GetString()!,
            s3.GetProperty("path_style"u8).GetBoolean(),
            s3.GetProperty("access_key_id"u8).GetString()!,
            // Sealed for this bucket: the name of a function can't contain a slash, so it is valid nowhere else.
            secrets.Open("bucket/" + name, "s3", secret)
        );
    }
}
