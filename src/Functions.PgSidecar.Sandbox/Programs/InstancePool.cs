using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>An instance that can be put back to its snapshot.</summary>
internal interface IPooledGuest : IDisposable
{
    /// <summary>The most linear memory it may have, in bytes.</summary>
    long MemoryLimit { get; }

    /// <summary>Puts it back, byte for byte.</summary>
    void Reset(InstanceSnapshot snapshot);
}

/// <summary>The instances of one snapshot: those that have been used are put back to it and kept for the next run.</summary>
/// <param name="snapshot">What every run begins with; freed with the pool.</param>
/// <param name="create">Makes an instance with a memory limit in bytes.</param>
internal sealed class InstancePool<TGuest>(InstanceSnapshot snapshot, Func<long, TGuest> create) : IDisposable
    where TGuest : class, IPooledGuest
{
    /// <summary>Used instances kept at most; each holds the pages it has written to, some 300 KB.</summary>
    private const int MaxIdle = 256;

    private readonly Lock gate = new();
    private readonly Stack<TGuest> idle = new();
    private int leastIdle;
    private int live;
    private bool disposed;

    /// <summary>What every run begins with.</summary>
    public InstanceSnapshot Snapshot => snapshot;

    /// <summary>Instances that run or wait now.</summary>
    public int Live => Volatile.Read(ref live);

    /// <summary>A pristine instance with a memory limit; the one used last, whose pages are still in the processor's caches.</summary>
    public TGuest Rent(long memoryBytes)
    {
        TGuest? used;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            live++;
            idle.TryPop(out used);
            leastIdle = Math.Min(leastIdle, idle.Count);
        }
        if (used?.MemoryLimit == memoryBytes)
            return used;
        used?.Dispose();
        try
        {
            return create(memoryBytes);
        }
        catch
        {
            bool isLast;
            lock (gate)
            {
                live--;
                isLast = disposed && live == 0;
            }
            if (isLast)
                snapshot.Dispose();
            throw;
        }
    }

    /// <summary>Takes an instance back: wiped for the next run, or dropped.</summary>
    public void Return(TGuest instance)
    {
        bool isWanted;
        lock (gate)
            isWanted = !disposed && idle.Count < MaxIdle && !GuardedSpace.IsScarce;
        if (isWanted)
            instance.Reset(snapshot);
        GiveUp(instance, keep: isWanted);
    }

    /// <summary>Takes an instance back that is not to be used again.</summary>
    public void Discard(TGuest instance) => GiveUp(instance, keep: false);

    /// <summary>Drops the idle instances that nobody has needed since the last call.</summary>
    public void Trim()
    {
        var surplus = new List<TGuest>();
        lock (gate)
        {
            for (var i = 0; i < leastIdle; i++)
                surplus.Add(idle.Pop());
            leastIdle = idle.Count;
        }
        surplus.ForEach(static instance => instance.Dispose());
    }

    /// <summary>Frees the snapshot, once the runs under way have ended; no others can begin.</summary>
    public void Dispose()
    {
        bool isLast;
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            leastIdle = 0;
            isLast = live == 0;
            while (idle.TryPop(out var instance))
                instance.Dispose();
        }
        if (isLast)
            snapshot.Dispose();
    }

    private void GiveUp(TGuest instance, bool keep)
    {
        bool isLast;
        lock (gate)
        {
            live--;
            isLast = disposed && live == 0;
            if (keep && !disposed)
            {
                idle.Push(instance);
                return;
            }
        }
        instance.Dispose();
        if (isLast)
            snapshot.Dispose();
    }
}
