using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// A function ready to run: the memory of a guest in which the function's top level has run once. Every run begins with that
/// memory, byte for byte. Instances that have been used are put back to it and kept for the next run.
/// </summary>
public sealed class JavaScriptProgram : IDisposable
{
    /// <summary>Used instances kept at most; each holds the pages it has written to, some 300 KB.</summary>
    private const int MaxIdle = 256;

    private readonly Lock gate = new();
    private readonly Stack<QuickJs> idle = new();
    private readonly CompiledImage image;
    private readonly QuickJsExports exports;
    private readonly InstanceSnapshot snapshot;
    private int leastIdle;
    private int live;
    private bool disposed;

    internal JavaScriptProgram(
        CompiledImage image, QuickJsExports exports, InstanceSnapshot snapshot, GuestHandles handles, ReadOnlyMemory<byte> info, SourceMap? map = null)
    {
        this.image = image;
        this.exports = exports;
        this.snapshot = snapshot;
        Handles = handles;
        Info = info;
        Map = map;
    }

    /// <summary>What the prelude says of the module: JSON with <c>form</c>, <c>entry</c> and <c>handlers</c>.</summary>
    public ReadOnlyMemory<byte> Info { get; }

    /// <summary>Memory shared by all instances, in bytes.</summary>
    public long SnapshotBytes => snapshot.ByteLength;

    /// <summary>Instances that run or wait now.</summary>
    public int Live => Volatile.Read(ref live);

    internal GuestHandles Handles { get; }

    /// <summary>Where its code comes from, if its source said so.</summary>
    internal SourceMap? Map { get; }

    internal InstanceSnapshot Snapshot => snapshot;

    /// <summary>A pristine instance with a memory limit; the one used last, whose pages are still in the processor's caches.</summary>
    internal QuickJs Rent(long memoryBytes)
    {
        QuickJs? used;
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
            var instance = image.Instantiate(snapshot, (int)(memoryBytes / JavaScriptEngine.PageBytes));
            return new QuickJs(instance, exports, Handles, memoryBytes);
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
    internal void Return(QuickJs instance)
    {
        bool isWanted;
        lock (gate)
            isWanted = !disposed && idle.Count < MaxIdle;
        if (isWanted)
            instance.Reset(snapshot);
        GiveUp(instance, keep: isWanted);
    }

    /// <summary>Takes an instance back that is not to be used again.</summary>
    internal void Discard(QuickJs instance) => GiveUp(instance, keep: false);

    /// <summary>Drops the idle instances that nobody has needed since the last call.</summary>
    public void Trim()
    {
        var surplus = new List<QuickJs>();
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

    private void GiveUp(QuickJs instance, bool keep)
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
