using System.Runtime.InteropServices;
using Functions.PgSidecar.Core.Notifications;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>
/// Copies of values, and of the absence of values, in this sidecar's memory, for reads with <c>cacheTtl</c>. Writers notify the sidecars
/// that have copies. While notifications can't arrive there are no copies. Who may read a cache is checked before each lookup, elsewhere.
/// </summary>
internal sealed class CacheCopies(TimeProvider time) : INotificationHandler
{
    /// <summary>The most bytes of all copies together. Beyond it, those that were not used for longest are dropped.</summary>
    public const long MaxBytes = 32 << 20;

    /// <summary>The largest value that is copied.</summary>
    public const int MaxValueBytes = 1 << 20;

    /// <summary>The longest time that a copy is used, whatever a reader allows.</summary>
    public static readonly TimeSpan MaxAge = TimeSpan.FromMinutes(5);

    /// <summary>What a copy takes besides its key, value and metadata, about: the objects that hold it.</summary>
    private const int OverheadBytes = 256;

    private readonly Lock gate = new();
    private readonly Dictionary<(string Cache, string Key), LinkedListNode<CacheCopy>> copies = [];

    /// <summary>The copies, the latest used last.</summary>
    private readonly LinkedList<CacheCopy> byUse = new();

    private readonly Dictionary<string, CopiedGroups> caches = new(StringComparer.Ordinal);
    private bool isListening;
    private long bytes;

    /// <inheritdoc/>
    public string ChannelName => "functions_cache_changes";

    /// <summary>The bytes of all copies together, about.</summary>
    public long Bytes => Interlocked.Read(ref bytes);

    /// <summary>Finds a copy that is not older than a reader allows.</summary>
    /// <param name="cache">The cache, which the caller may read.</param>
    /// <param name="key">The key.</param>
    /// <param name="maxAge">The oldest copy that the reader accepts.</param>
    /// <param name="entry">The value; null: the key had none.</param>
    public bool TryFind(string cache, string key, TimeSpan maxAge, out CacheEntry? entry)
    {
        lock (gate)
        {
            entry = null;
            if (!copies.TryGetValue((cache, key), out var node))
                return false;
            var copy = node.Value;
            var age = time.GetElapsedTime(copy.ReadAt);
            if (!copy.Groups.IsCurrent(copy.Group, copy.Version) || age >= copy.Lifetime)
            {
                RemoveWithGate(node);
                return false;
            }
            if (age > maxAge)
                return false;
            byUse.Remove(node);
            byUse.AddLast(node);
            entry = copy.Entry;
            return true;
        }
    }

    /// <summary>
    /// The groups of keys of which this sidecar must announce to writers that it copies them, before it may. The caller then calls
    /// <see cref="Announced"/>, or <see cref="NotAnnounced"/>.
    /// </summary>
    public int[] TakeUnannounced(string cache, IReadOnlyList<string> keys)
    {
        lock (gate)
        {
            return GroupsWithGate(cache)?.TakeUnannounced(keys, time.GetTimestamp()) ?? [];
        }
    }

    /// <summary>Records that a group is announced in the database.</summary>
    /// <param name="cache">The cache.</param>
    /// <param name="group">The group of keys.</param>
    /// <param name="before">The time before the announcement was sent.</param>
    /// <param name="announcedFor">How long any sidecar has announced it without interruption.</param>
    public void Announced(string cache, int group, long before, TimeSpan announcedFor)
    {
        lock (gate)
        {
            // Without groups, listening was lost meanwhile.
            caches.GetValueOrDefault(cache)?.Announced(group, before, time.GetTimestamp(), announcedFor);
        }
    }

    /// <summary>Records that groups could not be announced.</summary>
    public void NotAnnounced(string cache, int[] groups)
    {
        lock (gate)
        {
            caches.GetValueOrDefault(cache)?.NotAnnounced(groups);
        }
    }

    /// <summary>Begins a read whose results may be copied; null: they may not. Called before the database is asked.</summary>
    public CopyingRead? Begin(string cache, IReadOnlyList<string> keys)
    {
        lock (gate)
        {
            return GroupsWithGate(cache) is { } groups ? new CopyingRead(cache, groups, keys, time.GetTimestamp()) : null;
        }
    }

    /// <summary>Copies a result, unless it may have changed since the read began, or is too large.</summary>
    /// <param name="read">The read.</param>
    /// <param name="index">The key's place in it.</param>
    /// <param name="entry">The value; null: the key has none.</param>
    public void Store(CopyingRead read, int index, CacheEntry? entry)
    {
        var lifetime = entry?.Remaining is { } remaining && remaining < MaxAge ? remaining : MaxAge;
        if (entry?.Value.Length > MaxValueBytes || lifetime <= TimeSpan.Zero)
            return;
        var (key, group, version) = read[index];
        var copy = new CacheCopy(read.Cache, key, entry, read.Groups, group, version, read.StartedAt, lifetime);
        lock (gate)
        {
            if (caches.GetValueOrDefault(read.Cache) != read.Groups || !read.Groups.MayCopy(group, version, read.StartedAt))
                return;
            ref var node = ref CollectionsMarshal.GetValueRefOrAddDefault(copies, (read.Cache, key), out var isKnown);
            if (isKnown)
            {
                bytes -= SizeOf(node!.Value);
                byUse.Remove(node);
            }
            node = byUse.AddLast(copy);
            bytes += SizeOf(copy);
            while (bytes > MaxBytes)
                RemoveWithGate(byUse.First!);
        }
    }

    /// <summary>Forgets the copy of a key that this sidecar has written, and of reads that are in progress.</summary>
    public void Forget(string cache, string key)
    {
        lock (gate)
        {
            caches.GetValueOrDefault(cache)?.Change(CacheKeys.GroupOf(key));
        }
    }

    /// <inheritdoc/>
    /// <remarks>The payload is a cache and the group of the keys that have changed, or a cache of which any key may have.</remarks>
    public void Notified(string payload)
    {
        var blank = payload.IndexOf(' ', StringComparison.Ordinal);
        lock (gate)
        {
            if (!caches.TryGetValue(blank < 0 ? payload : payload[..blank], out var groups))
                return;
            if (blank < 0)
                groups.ChangeAll();
            else if (int.TryParse(payload.AsSpan(blank + 1), out var group) && group is >= 0 and < CacheKeys.Groups)
                groups.Change(group);
        }
    }

    /// <inheritdoc/>
    public void ListeningChanged(bool isListening)
    {
        lock (gate)
        {
            this.isListening = isListening;
            copies.Clear();
            byUse.Clear();
            caches.Clear();
            bytes = 0;
        }
    }

    private CopiedGroups? GroupsWithGate(string cache)
    {
        if (!isListening)
            return null;
        ref var groups = ref CollectionsMarshal.GetValueRefOrAddDefault(caches, cache, out _);
        return groups ??= new CopiedGroups(time);
    }

    private void RemoveWithGate(LinkedListNode<CacheCopy> node)
    {
        copies.Remove((node.Value.Cache, node.Value.Key));
        byUse.Remove(node);
        bytes -= SizeOf(node.Value);
    }

    private static long SizeOf(CacheCopy copy) =>
        OverheadBytes + 2L * (copy.Key.Length + (copy.Entry?.Metadata?.Length ?? 0)) + (copy.Entry?.Value.Length ?? 0);
}
