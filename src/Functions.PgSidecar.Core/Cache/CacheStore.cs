using Functions.PgSidecar.Postgres.Errors;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>
/// The values of caches, over connections of its own, on which every statement is prepared. Functions' roles have no right to the tables:
/// who may use a cache is decided before. Nothing that a function gives is part of a statement's text. Each write forgets this sidecar's
/// copy of the key and, if any sidecar has announced copies of the key's group, notifies all of them.
/// </summary>
internal sealed class CacheStore(NpgsqlDataSource dataSource, CacheCopies copies) : IAsyncDisposable
{
    private const string Live = "(expires_at is null or expires_at > now())";

    /// <summary>
    /// Ends a statement that writes the key of cache $1, with its group as $2. It looks for announced copies only if a row was written,
    /// and notifies only if there are some, because a transaction that notifies holds a lock of the whole server while it commits.
    /// </summary>
    private const string NotifySql = """
        (select pg_notify('functions_cache_changes', $1 || ' ' || $2) from functions_private.cache_copies c
         where c.cache = $1 and c.key_group = $2 and c.until > now())
        """;

    private const string PutSql = """
        insert into functions_private.cache_entries as e (cache, key, value, metadata, expires_at)
        values ($1, $3, $4, $5, coalesce(now() + $6, $7))
        on conflict (cache, key) do update
            set value = excluded.value, metadata = excluded.metadata, expires_at = excluded.expires_at, used_at = now()
        """;

    private const string IncrementSql = $"""
        insert into functions_private.cache_entries as e (cache, key, value, expires_at)
        values ($1, $3, convert_to($4::bigint::text, 'UTF8'), now() + $5)
        on conflict (cache, key) do update
            set value = convert_to((case when e.expires_at <= now() then 0 else convert_from(e.value, 'UTF8')::bigint end + $4)::text, 'UTF8'),
                metadata = case when e.expires_at <= now() then null else e.metadata end,
                expires_at = case when e.expires_at <= now() then excluded.expires_at else coalesce(excluded.expires_at, e.expires_at) end,
                used_at = now()
        returning convert_from(e.value, 'UTF8')::bigint, {NotifySql}
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
            $"select value, metadata, expires_at - now() from functions_private.cache_entries where cache = $1 and key = $2 and {Live}",
            cache,
            key
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? Entry(reader, 0) : null;
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
                select key, value, metadata, expires_at - now() as remaining
                from functions_private.cache_entries where cache = $1 and key = any ($2) and {Live}
            )
            select key, value, metadata, remaining from found where (select sum(octet_length(value)) from found) <= $3
            union all
            select null, null, null, null from (select sum(octet_length(value)) as size from found) s where s.size > $3
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
            found[reader.GetString(0)] = Entry(reader, 1);
        }
        return found;
    }

    /// <summary>Announces to writers that this sidecar copies keys of groups.</summary>
    /// <returns>The groups, and how long any sidecar has announced each without interruption.</returns>
    public async Task<List<(int Group, TimeSpan Since)>> AnnounceCopiesAsync(
        string cache,
        int[] groups,
        CancellationToken cancellationToken
    )
    {
        // In order, so that two sidecars do not wait for each other.
        await using var command = Command(
            """
            insert into functions_private.cache_copies as c (cache, key_group, since, until)
            select $1, g, now(), now() + $3 from unnest($2) g order by g
            on conflict (cache, key_group) do update
                set since = case when c.until > now() then c.since else now() end, until = greatest(c.until, excluded.until)
            returning key_group, now() - since
            """,
            cache,
            groups,
            CopiedGroups.Announcement
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var announced = new List<(int, TimeSpan)>(groups.Length);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            announced.Add((reader.GetInt32(0), reader.GetTimeSpan(1)));
        return announced;
    }

    /// <summary>Stores a value.</summary>
    public async Task PutAsync(string cache, string key, NewCacheEntry entry, CancellationToken cancellationToken)
    {
        await using var command = Command($"{PutSql} returning {NotifySql}", Stored(cache, key, entry));
        await WriteAsync(cache, key, command.ExecuteNonQueryAsync(cancellationToken)).ConfigureAwait(false);
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
                set value = $4, metadata = $5, expires_at = coalesce(now() + $6, $7), used_at = now()
                where cache = $1 and key = $3 and value = $8 and {Live} returning {NotifySql}
                """,
                [.. Stored(cache, key, entry), present]
            )
            : Command($"{PutSql} where e.expires_at <= now() returning {NotifySql}", Stored(cache, key, entry));
        return await WriteAsync(cache, key, command.ExecuteNonQueryAsync(cancellationToken)).ConfigureAwait(false) == 1;
    }

    /// <summary>Adds to the number that a key has; a key without a value has 0.</summary>
    public async Task<long> IncrementAsync(string cache, string key, long by, TimeSpan? timeToLive, CancellationToken cancellationToken)
    {
        await using var command = Command(IncrementSql, cache, CacheKeys.GroupOf(key), key, by, Interval(timeToLive));
        return (long)(await WriteAsync(cache, key, command.ExecuteScalarAsync(cancellationToken)).ConfigureAwait(false))!;
    }

    /// <summary>Removes a key; one that does not exist is no error.</summary>
    public async Task DeleteAsync(string cache, string key, CancellationToken cancellationToken)
    {
        await using var command = Command(
            $"delete from functions_private.cache_entries where cache = $1 and key = $3 returning {NotifySql}",
            cache,
            CacheKeys.GroupOf(key),
            key
        );
        await WriteAsync(cache, key, command.ExecuteNonQueryAsync(cancellationToken)).ConfigureAwait(false);
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

    /// <summary>
    /// Forgets the copy of a key when its write has ended, also if it failed: it may have been executed, and whoever expected another
    /// value should see the present one.
    /// </summary>
    private async Task<T> WriteAsync<T>(string cache, string key, Task<T> write)
    {
        try
        {
            return await write.ConfigureAwait(false);
        }
        finally
        {
            copies.Forget(cache, key);
        }
    }

    /// <summary>The parameters of a statement that stores a value: $1 to $7.</summary>
    private static object[] Stored(string cache, string key, NewCacheEntry entry) =>
        [cache, CacheKeys.GroupOf(key), key, entry.Value, Text(entry.Metadata), Interval(entry.TimeToLive), Time(entry.ExpiresAt)];

    /// <summary>The value, the metadata and the remaining time in three columns.</summary>
    private static CacheEntry Entry(NpgsqlDataReader reader, int ordinal) =>
        new(
            reader.GetFieldValue<byte[]>(ordinal),
            reader.IsDBNull(ordinal + 1) ? null : reader.GetString(ordinal + 1),
            reader.IsDBNull(ordinal + 2) ? null : reader.GetTimeSpan(ordinal + 2)
        );

    private NpgsqlCommand Command(string sql, params ReadOnlySpan<object> parameters)
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
