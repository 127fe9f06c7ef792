using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>A JavaScript function that is ready to run: the memory of a guest after the function's top level has run once.</summary>
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
        Module code,
        SandboxThreads threads,
        GuestSnapshot snapshot,
        GuestHandles handles,
        ReadOnlyMemory<byte> info,
        SourceMap? map,
        MemoryBudget memory,
        bool isUnconditional = false
    )
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

    /// <summary>The prelude's description of the module: JSON with <c>form</c>, <c>entry</c> and <c>handlers</c>.</summary>
    public ReadOnlyMemory<byte> Info { get; }

    /// <inheritdoc/>
    public long SnapshotBytes => Snapshot.Memory.ByteLength;

    /// <summary>Number of instances that run or wait now.</summary>
    public int Live => Volatile.Read(ref live);

    internal GuestHandles Handles { get; }

    /// <summary>How long its runs take until they first wait or end.</summary>
    internal TurnLength FirstTurns { get; } = new();

    /// <summary>The source map of its code, if the source has one.</summary>
    internal SourceMap? Map { get; }

    internal GuestSnapshot Snapshot { get; }

    /// <inheritdoc/>
    public Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon) =>
        new GuestRun(this, request, host, threads).StartAsync(abandon);

    /// <inheritdoc/>
    public void Trim() => Snapshot.Trim();

    /// <summary>Frees the snapshot as soon as the current runs have ended. No other run can begin.</summary>
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

    /// <summary>Creates a guest for one run; give it to <see cref="Return"/> afterwards.</summary>
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

    /// <summary>Disposes the guest of a run.</summary>
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
