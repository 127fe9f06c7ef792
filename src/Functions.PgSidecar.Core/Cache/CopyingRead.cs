namespace Functions.PgSidecar.Core.Cache;

/// <summary>A read of keys whose results may be copied, and the state of their groups before it.</summary>
internal sealed class CopyingRead
{
    private readonly (string Key, int Group, int Version)[] keys;

    /// <summary>Notes the state of the groups of keys.</summary>
    public CopyingRead(string cache, CopiedGroups groups, IReadOnlyList<string> keys, long now)
    {
        (Cache, Groups, StartedAt) = (cache, groups, now);
        this.keys = new (string, int, int)[keys.Count];
        for (var i = 0; i < keys.Count; i++)
        {
            var group = CacheKeys.GroupOf(keys[i]);
            this.keys[i] = (keys[i], group, groups.VersionOf(group));
        }
    }

    /// <summary>The cache.</summary>
    public string Cache { get; }

    /// <summary>The groups of its keys.</summary>
    public CopiedGroups Groups { get; }

    /// <summary>When the read began, a timestamp.</summary>
    public long StartedAt { get; }

    /// <summary>A key, its group, and the version that the group had when the read began.</summary>
    public (string Key, int Group, int Version) this[int index] => keys[index];
}

/// <summary>A copy of a value.</summary>
/// <param name="Cache">The cache.</param>
/// <param name="Key">The key.</param>
/// <param name="Entry">The value; null: the key had none.</param>
/// <param name="Groups">The groups of the cache's keys when it was read.</param>
/// <param name="Group">The group of the key.</param>
/// <param name="Version">The version that the group had.</param>
/// <param name="ReadAt">When the read began, a timestamp.</param>
/// <param name="Lifetime">How long from then it may be used.</param>
internal sealed record CacheCopy(
    string Cache,
    string Key,
    CacheEntry? Entry,
    CopiedGroups Groups,
    int Group,
    int Version,
    long ReadAt,
    TimeSpan Lifetime
);
