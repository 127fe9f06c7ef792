using Functions.PgSidecar.Postgres.Errors;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>
/// The values of caches, over connections of its own, on which every statement is prepared. Functions' roles have no right to the tables:
/// who may use a cache is decided before. Nothing that a function gives is part of a statement's text.
/// </summary>
internal sealed class CacheStore(NpgsqlDataSource dataSource) : IAsyncDisposable
{
    /// <summary>The most operations on the database at once.</summary>
    public const int MaxConnections = 8;

    private const string Live = "(expires_at is null or expires_at > now())";

    private const string PutSql = """
        insert into functions_private.cache_entries as e (cache, key, value, metadata, expires_at)
        values ($1, $2, $3, $4, coalesce(now() + $5, $6))
        on conflict (cache, key) do update
            set value = excluded.value, metadata = excluded.metadata, expires_at = excluded.expires_at, used_at = now()
        """;

    private const string IncrementSql = """
        insert into functions_private.cache_entries as e (cache, key, value, expires_at)
        values ($1, $2, convert_to($3::bigint::text, 'UTF8'), now() + $4)
        on conflict (cache, key) do update
            set value = convert_to((case when e.expires_at <= now() then 0 else convert_from(e.value, 'UTF8')::bigint end + $3)::text, 'UTF8'),
                metadata = case when e.expires_at <= now() then null else e.metadata end,
                expires_at = case when e.expires_at <= now() then excluded.expires_at else coalesce(excluded.expires_at, e.expires_at) end,
                used_at = now()
        returning convert_from(e.value, 'UTF8')::bigint
        """;

    /// <summary>What a failed operation means for a function; null if the database did not cause the failure.</summary>
    public static SidecarException? Explain(Exception failure) =>
        failure switch
        {
            PostgresException
            {
                SqlState: PostgresErrorCodes.InvalidTextRepresentation
                    or PostgresErrorCodes.NumericValueOutOfRange
                    or PostgresErrorCodes.CharacterNotInRepertoire
            } => new SidecarException(
                "PGFN5703",
                400,
                "The value of the key is no whole number, or the sum has more than 64 bits.",
                failure
            ),
            NpgsqlException => new SidecarException(
                SqlErrorCodes.Unavailable,
                503,
                "The cache can't be reached: the database does not answer.",
                failure
            ),
            _ => null,
        };

    /// <summary>Reads a cache's definition; null if there is none.</summary>
    public async Task<CacheDefinition?> LoadAsync(string name, CancellationToken cancellationToken)
    {
        await using var command = Command("select max_value_bytes, readers, writers from functions_private.caches where name = $1", name);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new CacheDefinition(name, reader.GetInt32(0), Roles(reader, 1), Roles(reader, 2))
            : null;
    }

    /// <summary>The live value of a key.</summary>
    public async Task<CacheEntry?> GetAsync(string cache, string key, CancellationToken cancellationToken)
    {
        await using var command = Command(
            $"select value, metadata from functions_private.cache_entries where cache = $1 and key = $2 and {Live}",
            cache,
            key
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new CacheEntry(reader.GetFieldValue<byte[]>(0), reader.IsDBNull(1) ? null : reader.GetString(1))
            : null;
    }

    /// <summary>The live values of several keys, with a limit of their sizes together.</summary>
    /// <returns>Null if they are larger.</returns>
    public async Task<Dictionary<string, CacheEntry>?> GetManyAsync(
        string cache,
        string[] keys,
        long maxBytes,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(
            $"""
            with found as materialized (
                select key, value, metadata from functions_private.cache_entries where cache = $1 and key = any ($2) and {Live}
            )
            select key, value, metadata, (select sum(octet_length(value)) from found) from found
            where (select sum(octet_length(value)) from found) <= $3
            union all
            select null, null, null, s.size from (select sum(octet_length(value)) as size from found) s where s.size > $3
            """,
            cache,
            keys,
            maxBytes
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var found = new Dictionary<string, CacheEntry>(StringComparer.Ordinal);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (reader.IsDBNull(0))
                return null;
            found[reader.GetString(0)] = new CacheEntry(reader.GetFieldValue<byte[]>(1), reader.IsDBNull(2) ? null : reader.GetString(2));
        }
        return found;
    }

    /// <summary>Stores a value.</summary>
    public async Task PutAsync(string cache, string key, NewCacheEntry entry, CancellationToken cancellationToken)
    {
        await using var command = Command(
            PutSql,
            cache,
            key,
            entry.Value,
            Text(entry.Metadata),
            Interval(entry.TimeToLive),
            Time(entry.ExpiresAt)
        );
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stores a value if the present one is as expected.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="key">The key.</param>
    /// <param name="expected">The present value; null: there is none.</param>
    /// <param name="entry">The new value.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<bool> CompareAndSetAsync(
        string cache,
        string key,
        ReadOnlyMemory<byte>? expected,
        NewCacheEntry entry,
        CancellationToken cancellationToken
    )
    {
        await using var command = expected is { } present
            ? Command(
                $"""
                update functions_private.cache_entries
                set value = $3, metadata = $4, expires_at = coalesce(now() + $5, $6), used_at = now()
                where cache = $1 and key = $2 and value = $7 and {Live}
                """,
                cache,
                key,
                entry.Value,
                Text(entry.Metadata),
                Interval(entry.TimeToLive),
                Time(entry.ExpiresAt),
                present
            )
            : Command(
                PutSql + " where e.expires_at <= now()",
                cache,
                key,
                entry.Value,
                Text(entry.Metadata),
                Interval(entry.TimeToLive),
                Time(entry.ExpiresAt)
            );
        return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false) == 1;
    }

    /// <summary>Adds to the number that a key has; a key without a value has 0.</summary>
    public async Task<long> IncrementAsync(string cache, string key, long by, TimeSpan? timeToLive, CancellationToken cancellationToken)
    {
        await using var command = Command(IncrementSql, cache, key, by, Interval(timeToLive));
        return (long)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>Removes a key; one that does not exist is no error.</summary>
    public async Task DeleteAsync(string cache, string key, CancellationToken cancellationToken)
    {
        await using var command = Command("delete from functions_private.cache_entries where cache = $1 and key = $2", cache, key);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The live keys that begin with a prefix and come after a key, in the order of their bytes in UTF-8.</summary>
    public async Task<List<CacheKey>> ListAsync(string cache, string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        await using var command = Command(
            $"""
            select key, ceil(extract(epoch from expires_at))::bigint, metadata from functions_private.cache_entries
            where cache = $1 and key >= $2 and ($3::text is null or key > $3) and ($4::text is null or key < $4) and {Live}
            order by key limit $5
            """,
            cache,
            prefix,
            Text(after),
            Text(CacheKeys.EndOf(prefix)),
            limit
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var keys = new List<CacheKey>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            keys.Add(
                new CacheKey(
                    reader.GetString(0),
                    reader.IsDBNull(1) ? null : reader.GetInt64(1),
                    reader.IsDBNull(2) ? null : reader.GetString(2)
                )
            );
        }
        return keys;
    }

    /// <summary>Claims the computation of a key's value, unless somebody else has claimed it.</summary>
    /// <returns>The claim; null if somebody else has it.</returns>
    public async Task<Guid?> TryClaimAsync(string cache, string key, TimeSpan lease, CancellationToken cancellationToken)
    {
        await using var command = Command(
            """
            insert into functions_private.cache_claims as l (cache, key, claim, until) values ($1, $2, $3, now() + $4)
            on conflict (cache, key) do update set claim = excluded.claim, until = excluded.until where l.until <= now()
            returning claim
            """,
            cache,
            key,
            Guid.NewGuid(),
            lease
        );
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as Guid?;
    }

    /// <summary>Gives a claim back.</summary>
    public async Task ReleaseAsync(string cache, string key, Guid claim, CancellationToken cancellationToken)
    {
        await using var command = Command(
            "delete from functions_private.cache_claims where cache = $1 and key = $2 and claim = $3",
            cache,
            key,
            claim
        );
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => dataSource.DisposeAsync();

    private NpgsqlCommand Command(string sql, params object[] parameters)
    {
        var command = dataSource.CreateCommand(sql);
        foreach (var value in parameters)
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value });
        return command;
    }

    private static NpgsqlParameter Text(string? value) =>
        new() { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)value ?? DBNull.Value };

    private static NpgsqlParameter Interval(TimeSpan? value) =>
        new() { NpgsqlDbType = NpgsqlDbType.Interval, Value = (object?)value ?? DBNull.Value };

    private static NpgsqlParameter Time(DateTimeOffset? value) =>
        new() { NpgsqlDbType = NpgsqlDbType.TimestampTz, Value = (object?)value?.UtcDateTime ?? DBNull.Value };

    private static string[]? Roles(NpgsqlDataReader reader, int ordinal) =>
        reader.IsDBNull(ordinal) ? null : reader.GetFieldValue<string[]>(ordinal);
}
