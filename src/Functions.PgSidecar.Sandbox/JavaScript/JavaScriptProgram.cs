using System.Collections.Concurrent;
using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// A function ready to run: the memory of a guest in which the function's top level has run once. Every run begins with that
/// memory, byte for byte. Instances that have been used are put back to it and kept for the next run.
/// </summary>
public sealed class JavaScriptProgram : IDisposable
{
    /// <summary>Used instances kept; more than run at the same time are of no use.</summary>
    private static readonly int MaxIdle = Math.Max(8, 4 * Environment.ProcessorCount);

    private readonly ConcurrentBag<QuickJs> idle = [];
    private readonly CompiledImage image;
    private readonly QuickJsExports exports;
    private readonly InstanceSnapshot snapshot;
    private int idleCount;
    private int live;
    private volatile bool disposed;

    internal JavaScriptProgram(
        CompiledImage image, QuickJsExports exports, InstanceSnapshot snapshot, GuestHandles handles, ReadOnlyMemory<byte> info)
    {
        this.image = image;
        this.exports = exports;
        this.snapshot = snapshot;
        Handles = handles;
        Info = info;
    }

    /// <summary>What the prelude says of the module: JSON with <c>form</c>, <c>entry</c> and <c>handlers</c>.</summary>
    public ReadOnlyMemory<byte> Info { get; }

    /// <summary>Memory shared by all instances, in bytes.</summary>
    public long SnapshotBytes => snapshot.ByteLength;

    /// <summary>Instances that run or wait now.</summary>
    public int Live => Volatile.Read(ref live);

    internal GuestHandles Handles { get; }

    internal InstanceSnapshot Snapshot => snapshot;

    /// <summary>A pristine instance with a memory limit.</summary>
    internal QuickJs Rent(long memoryBytes)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        Interlocked.Increment(ref live);
        while (idle.TryTake(out var used))
        {
            Interlocked.Decrement(ref idleCount);
            if (used.MemoryLimit == memoryBytes)
                return used;
            used.Dispose();
        }
        var instance = image.Instantiate(snapshot, (int)(memoryBytes / JavaScriptEngine.PageBytes));
        return new QuickJs(instance, exports, Handles, memoryBytes);
    }

    /// <summary>Takes an instance back: wiped for the next run, or dropped.</summary>
    internal void Return(QuickJs instance)
    {
        Interlocked.Decrement(ref live);
        if (disposed || Interlocked.Increment(ref idleCount) > MaxIdle)
        {
            if (!disposed)
                Interlocked.Decrement(ref idleCount);
            instance.Dispose();
            return;
        }
        instance.Reset(snapshot);
        idle.Add(instance);
        if (disposed)
            Drain();
    }

    /// <summary>Frees the snapshot. Runs under way finish; no others can begin.</summary>
    public void Dispose()
    {
        disposed = true;
        Drain();
        snapshot.Dispose();
    }

    private void Drain()
    {
        while (idle.TryTake(out var instance))
            instance.Dispose();
    }
}
