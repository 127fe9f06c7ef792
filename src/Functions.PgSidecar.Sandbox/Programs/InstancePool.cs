using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>An instance that can be put back to its snapshot.</summary>
internal interface IPooledGuest : IDisposable
{
    /// <summary>The most linear memory it may have, in bytes.</summary>
    long MemoryLimit { get; }

    /// <summary>The linear memory it has now, in bytes.</summary>
    long MemoryBytes { get; }

    /// <summary>What it asks before its memory grows.</summary>
    MemoryShare? Memory { get; set; }

    /// <summary>Puts it back, byte for byte.</summary>
    void Reset(InstanceSnapshot snapshot);
}

/// <summary>The instances of one snapshot: those that have been used are put back to it and kept for the next run.</summary>
internal sealed class InstancePool<TGuest> : IDisposable, IIdleMemory
    where TGuest : class, IPooledGuest
{
    /// <summary>What an idle instance is counted with: about what it has written to and keeps.</summary>
    private const long IdleBytes = 512 * 1024;

    /// <summary>Used instances kept at most; each holds the pages it has written to, some 300 KB.</summary>
    private const int MaxIdle = 256;

    private readonly InstanceSnapshot snapshot;
    private readonly Func<long, TGuest> create;
    private readonly MemoryBudget budget;
    private readonly bool isUnconditional;
    private readonly Lock gate = new();
    private readonly Stack<TGuest> idle = new();
    private int leastIdle;
    private int live;
    private bool disposed;

    /// <param name="snapshot">What every run begins with; freed with the pool.</param>
    /// <param name="create">Makes an instance with a memory limit in bytes.</param>
    /// <param name="budget">The memory of all instances.</param>
    /// <param name="isUnconditional">Whether the instances get memory also where all together have too much.</param>
    public InstancePool(InstanceSnapshot snapshot, Func<long, TGuest> create, MemoryBudget budget, bool isUnconditional = false)
    {
        this.snapshot = snapshot;
        this.create = create;
        this.budget = budget;
        this.isUnconditional = isUnconditional;
        budget.Register(this);
    }

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
        try
        {
            if (used is not null && used.MemoryLimit != memoryBytes)
            {
                Drop(used);
                used = null;
            }
            used ??= Create(memoryBytes);
            return used.Memory!.TryGrowTo(used.MemoryBytes) ? used : throw new SharedMemoryException();
        }
        catch
        {
            if (used is not null)
                Drop(used);
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
        {
            instance.Reset(snapshot);
            instance.Memory!.Shrink(Math.Min(instance.MemoryBytes, IdleBytes));
        }
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
        surplus.ForEach(Drop);
    }

    /// <summary>Drops every idle instance: memory is short.</summary>
    public void DropIdle()
    {
        TGuest[] all;
        lock (gate)
        {
            all = [.. idle];
            idle.Clear();
            leastIdle = 0;
        }
        foreach (var instance in all)
            Drop(instance);
    }

    /// <summary>Frees the snapshot, once the runs under way have ended; no others can begin.</summary>
    public void Dispose()
    {
        budget.Unregister(this);
        bool isLast;
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            leastIdle = 0;
            isLast = live == 0;
            while (idle.TryPop(out var instance))
                Drop(instance);
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
        Drop(instance);
        if (isLast)
            snapshot.Dispose();
    }

    private TGuest Create(long memoryBytes)
    {
        var instance = create(memoryBytes);
        instance.Memory = new MemoryShare(budget, isUnconditional);
        return instance;
    }

    private static void Drop(TGuest instance)
    {
        instance.Dispose();
        instance.Memory!.Shrink(0);
    }
}
