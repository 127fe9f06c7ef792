using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>A module or a component that is ready to run.</summary>
public sealed class WasmProgram : IProgram
{
    private readonly Lock gate = new();
    private readonly SandboxThreads threads;
    private readonly WasmExecutable executable;
    private readonly MemoryBudget memory;
    private int running;
    private bool disposed;

    internal WasmProgram(string name, WasmExecutable executable, SandboxThreads threads, MemoryBudget memory)
    {
        Name = name;
        this.executable = executable;
        this.threads = threads;
        this.memory = memory;
        executable.ShareWith(memory);
    }

    /// <summary>The function's name: the guest's first argument.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public long SnapshotBytes => executable.ByteLength;

    /// <summary>Whether its code has been freed.</summary>
    internal bool IsFreed => executable.IsFreed;

    /// <inheritdoc/>
    public Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon) =>
        new WasmRun(this, request, host, threads).StartAsync(abandon);

    /// <inheritdoc/>
    public void Trim() => executable.Trim();

    /// <summary>Frees code and memory as soon as the current runs have ended. No other run can begin.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            if (running > 0)
                return;
        }
        Free();
    }

    /// <summary>Creates a store for one run. Call <see cref="Leave"/> after disposing it.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    /// <exception cref="SharedMemoryException">The memory budget of all instances is used up.</exception>
    internal Store NewStore(long memoryBytes)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            running++;
        }
        try
        {
            var store = executable.NewStore(memoryBytes);
            store.Share = new MemoryShare(memory);
            if (store.Share.TryGrowTo(store.MemoryPeakBytes))
                return store;
            store.Dispose();
            throw new SharedMemoryException();
        }
        catch
        {
            Leave();
            throw;
        }
    }

    /// <summary>Ends a run.</summary>
    internal void Leave()
    {
        lock (gate)
        {
            running--;
            if (!disposed || running > 0)
                return;
        }
        Free();
    }

    /// <summary>Runs the guest of a store once.</summary>
    internal GuestAnswer Run(Store store, RunRequest request, ReadOnlyMemory<byte> body, IModuleHost host) =>
        executable.Run(store, new GuestInput(Name, request.Envelope, body), host);

    private void Free() => executable.Dispose();
}
