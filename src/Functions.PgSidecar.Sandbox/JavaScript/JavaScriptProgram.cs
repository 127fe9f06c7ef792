using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>A JavaScript function ready to run: the memory of a guest in which the function's top level has run once.</summary>
public sealed class JavaScriptProgram : IProgram
{
    private readonly Lock gate = new();
    private readonly Module code;
    private readonly SandboxThreads threads;
    private readonly MemoryBudget memory;
    private readonly bool isUnconditional;
    private int live;
    private bool disposed;

    internal JavaScriptProgram(
        Module code, SandboxThreads threads, GuestSnapshot snapshot, GuestHandles handles, ReadOnlyMemory<byte> info, SourceMap? map, MemoryBudget memory,
        bool isUnconditional = false)
    {
        this.code = code;
        this.threads = threads;
        Snapshot = snapshot;
        snapshot.ShareWith(memory);
        this.memory = memory;
        this.isUnconditional = isUnconditional;
        Handles = handles;
        Info = info;
        Map = map;
    }

    /// <summary>What the prelude says of the module: JSON with <c>form</c>, <c>entry</c> and <c>handlers</c>.</summary>
    public ReadOnlyMemory<byte> Info { get; }

    /// <inheritdoc/>
    public long SnapshotBytes => Snapshot.Memory.ByteLength;

    /// <summary>Instances that run or wait now.</summary>
    public int Live => Volatile.Read(ref live);

    internal GuestHandles Handles { get; }

    /// <summary>Where its code comes from, if its source said so.</summary>
    internal SourceMap? Map { get; }

    internal GuestSnapshot Snapshot { get; }

    /// <inheritdoc/>
    public Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon) =>
        new GuestRun(this, request, host, threads).StartAsync(abandon);

    /// <inheritdoc/>
    public void Trim() => Snapshot.Trim();

    /// <summary>Frees the snapshot, once the present runs have ended; no others can begin.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            if (live > 0)
                return;
        }
        Snapshot.Dispose();
    }

    /// <summary>A guest for one run; <see cref="Return"/> it.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    internal QuickJs Rent(long memoryBytes)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            live++;
        }
        try
        {
            var instance = Snapshot.Instantiate(code, memoryBytes);
            instance.Share = new MemoryShare(memory, isUnconditional);
            if (instance.Share.TryGrowTo(instance.MemoryPeakBytes))
                return new QuickJs(instance, Handles);
            instance.Dispose();
            throw new SharedMemoryException();
        }
        catch
        {
            Leave();
            throw;
        }
    }

    /// <summary>Takes a guest back.</summary>
    internal void Return(QuickJs guest)
    {
        guest.Dispose();
        guest.Instance.Share?.Shrink(0);
        Leave();
    }

    private void Leave()
    {
        lock (gate)
        {
            live--;
            if (!disposed || live > 0)
                return;
        }
        Snapshot.Dispose();
    }
}
