namespace Functions.PgSidecar.Core.Cache;

/// <summary>Reads keys from the database or, where the reader allows it, from copies in memory.</summary>
internal sealed class CacheReader(CacheStore store, CacheCopies copies, CacheMetrics metrics, CacheUses uses, TimeProvider time)
{
    private const long MaxBulkBytes = 25 << 20;

    /// <summary>The live values of keys, in their order; null where there is none.</summary>
    /// <param name="cache">The cache, which the caller may read.</param>
    /// <param name="keys">The keys.</param>
    /// <param name="maxAge">The oldest copy that the reader accepts; null: none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SidecarException">PGFN5704: the values have more than 25 MB together.</exception>
    public async ValueTask<CacheEntry?[]> ReadAsync(string cache, string[] keys, TimeSpan? maxAge, CancellationToken cancellationToken)
    {
        var entries = new CacheEntry?[keys.Length];
        if (maxAge is not { } age)
        {
            await ReadStoredAsync(cache, keys, entries, cancellationToken).ConfigureAwait(false);
            Count(cache, keys, entries, copied: 0);
            return entries;
        }
        List<int>? missing = null;
        for (var i = 0; i < keys.Length; i++)
        {
            if (!copies.TryFind(cache, keys[i], age, out entries[i]))
                (missing ??= []).Add(i);
        }
        if (missing is not null)
        {
            var asked = missing.ConvertAll(index => keys[index]).ToArray();
            var stored = await ReadToCopyAsync(cache, asked, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < asked.Length; i++)
                entries[missing[i]] = stored[i];
        }
        if (keys.Length > 1 && entries.Sum(static entry => entry?.Value.LongLength ?? 0) > MaxBulkBytes)
            throw TooLarge();
        Count(cache, keys, entries, keys.Length - (missing?.Count ?? 0));
        return entries;
    }

    private async Task<CacheEntry?[]> ReadToCopyAsync(string cache, string[] keys, CancellationToken cancellationToken)
    {
        if (copies.TakeUnannounced(cache, keys) is { Length: > 0 } groups)
            await AnnounceAsync(cache, groups, cancellationToken).ConfigureAwait(false);
        var read = copies.Begin(cache, keys);
        var entries = new CacheEntry?[keys.Length];
        await ReadStoredAsync(cache, keys, entries, cancellationToken).ConfigureAwait(false);
        for (var i = 0; read is not null && i < keys.Length; i++)
            copies.Store(read, i, entries[i]);
        return entries;
    }

    private async Task AnnounceAsync(string cache, int[] groups, CancellationToken cancellationToken)
    {
        var before = time.GetTimestamp();
        var isAnnounced = false;
        try
        {
            foreach (var (group, since) in await store.AnnounceCopiesAsync(cache, groups, cancellationToken).ConfigureAwait(false))
                copies.Announced(cache, group, before, since);
            isAnnounced = true;
        }
        finally
        {
            if (!isAnnounced)
                copies.NotAnnounced(cache, groups);
        }
    }

    private async Task ReadStoredAsync(string cache, string[] keys, CacheEntry?[] entries, CancellationToken cancellationToken)
    {
        if (keys.Length == 1)
        {
            entries[0] = await store.GetAsync(cache, keys[0], cancellationToken).ConfigureAwait(false);
            return;
        }
        var found = await store.GetManyAsync(cache, keys, MaxBulkBytes, cancellationToken).ConfigureAwait(false) ?? throw TooLarge();
        for (var i = 0; i < keys.Length; i++)
        {
            if (found.TryGetValue(keys[i], out var entry))
                entries[i] = entry;
        }
    }

    private void Count(string cache, string[] keys, CacheEntry?[] entries, int copied)
    {
        var misses = 0;
        for (var i = 0; i < keys.Length; i++)
        {
            if (entries[i] is null)
                misses++;
            else
                uses.Note(cache, keys[i]);
        }
        metrics.CountReads(keys.Length - misses, misses, copied);
    }

    private static SidecarException TooLarge() => new("PGFN5704", 413, "The values of the keys have more than 25 MB together.");
}
