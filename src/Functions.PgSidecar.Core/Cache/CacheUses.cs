using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Which keys were read lately; recorded from time to time, because a write at each read would cost more than the read.</summary>
internal sealed class CacheUses
{
    /// <summary>The most keys between two records. Further ones are not recorded: which values are removed is approximate.</summary>
    private const int MaxKeys = 10_000;

    private ConcurrentDictionary<(string Cache, string Key), byte> used = new();

    /// <summary>Notes that a key was read.</summary>
    public void Note(string cache, string key)
    {
        var now = used;
        // Most reads are of keys that are noted. Counting takes all locks of the dictionary.
        if (!now.ContainsKey((cache, key)) && now.Count < MaxKeys)
            now.TryAdd((cache, key), 0);
    }

    /// <summary>Takes what was noted since the last time.</summary>
    public IReadOnlyCollection<(string Cache, string Key)> Take() => [.. Interlocked.Exchange(ref used, new()).Keys];
}
