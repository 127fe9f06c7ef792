namespace Functions.PgSidecar.Core.Cache;

/// <summary>
/// The groups of keys of one cache: how often each has changed, and until when this sidecar has announced in the database that it copies
/// its keys. Not thread-safe: <see cref="CacheCopies"/> holds its lock.
/// </summary>
internal sealed class CopiedGroups(TimeProvider time)
{
    /// <summary>How long an announcement is valid.</summary>
    public static readonly TimeSpan Announcement = TimeSpan.FromMinutes(15);

    /// <summary>
    /// How long nothing is copied after a group's first announcement. A writer whose statement began before it can't know of it; such a
    /// statement has ended by then, as each writes one key.
    /// </summary>
    public static readonly TimeSpan Caution = TimeSpan.FromSeconds(2);

    /// <summary>How long an announcement must be valid beyond the end of a copy: clocks differ in speed.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(1);

    private readonly Group[] groups = new Group[CacheKeys.Groups];

    /// <summary>The groups of keys whose announcements are missing or half over; nobody else gets them until they are announced.</summary>
    public int[] TakeUnannounced(IReadOnlyList<string> keys, long now)
    {
        List<int>? taken = null;
        foreach (var key in keys)
        {
            var index = CacheKeys.GroupOf(key);
            ref var group = ref groups[index];
            if (group.IsBeingAnnounced || group.Until - now > Ticks(Announcement / 2))
                continue;
            group.IsBeingAnnounced = true;
            (taken ??= []).Add(index);
        }
        return taken is null ? [] : [.. taken];
    }

    /// <summary>Records an announcement.</summary>
    public void Announced(int index, long before, long after, TimeSpan announcedFor)
    {
        ref var group = ref groups[index];
        group.IsBeingAnnounced = false;
        group.From = after + Ticks(Caution - announcedFor);
        group.Until = before + Ticks(Announcement);
    }

    /// <summary>Lets others announce groups.</summary>
    public void NotAnnounced(int[] indexes)
    {
        foreach (var index in indexes)
            groups[index].IsBeingAnnounced = false;
    }

    /// <summary>How often keys of a group have changed.</summary>
    public int VersionOf(int index) => groups[index].Version;

    /// <summary>Whether no key of a group has changed since it had a version.</summary>
    public bool IsCurrent(int index, int version) => groups[index].Version == version;

    /// <summary>Whether what was read at a time may be copied: no key has changed, and every writer since then notifies.</summary>
    public bool MayCopy(int index, int version, long readAt)
    {
        ref var group = ref groups[index];
        return group.Version == version && readAt >= group.From && readAt + Ticks(CacheCopies.MaxAge + Margin) <= group.Until;
    }

    /// <summary>A key of a group has changed.</summary>
    public void Change(int index) => groups[index].Version++;

    /// <summary>Any key may have changed.</summary>
    public void ChangeAll()
    {
        foreach (ref var group in groups.AsSpan())
            group.Version++;
    }

    /// <summary>A time span in the unit of the clock's timestamps.</summary>
    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);

    /// <summary>One group. Times are timestamps of the clock.</summary>
    private struct Group
    {
        public int Version;
        public bool IsBeingAnnounced;
        public long From;
        public long Until;
    }
}
