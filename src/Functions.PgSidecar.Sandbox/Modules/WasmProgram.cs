using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>A module that is ready to run: its machine code, and the state in which every run begins.</summary>
public sealed class WasmProgram : IProgram
{
    private readonly Lock gate = new();
    private readonly SandboxThreads threads;
    private readonly Module module;
    private readonly ModuleState state;
    private readonly MemoryBudget memory;
    private int running;
    private bool disposed;

    internal WasmProgram(string name, Module module, ModulePlan plan, ModuleState state, SandboxThreads threads, MemoryBudget memory)
    {
        Name = name;
        Plan = plan;
        this.module = module;
        this.state = state;
        this.threads = threads;
        this.memory = memory;
        state.ShareWith(memory);
    }

    /// <summary>The function's name: the module's first argument.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public long SnapshotBytes => state.ByteLength + module.CodeBytes;

    internal ModulePlan Plan { get; }

    /// <summary>Whether its code has been freed.</summary>
    internal bool IsFreed => module.IsClosed;

    /// <inheritdoc/>
    public Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon) =>
        new WasmRun(this, request, host, threads).StartAsync(abandon);

    /// <inheritdoc/>
    public void Trim() => state.Trim();

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

    /// <summary>Creates an instance for one run. Call <see cref="Leave"/> after disposing it.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    /// <exception cref="SharedMemoryException">The memory budget of all instances is used up.</exception>
    internal Instance Instantiate(long memoryBytes)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            running++;
        }
        try
        {
            var instance = state.Instantiate(module, Plan, memoryBytes);
            instance.Share = new MemoryShare(memory);
            if (instance.Share.TryGrowTo(instance.MemoryPeakBytes))
                return instance;
            instance.Dispose();
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

    /// <summary>Runs an instance once.</summary>
    internal ReadOnlyMemory<byte> Run(Instance instance, WasiProcess process) =>
        ModuleCall.Run(instance, Plan, state.StartsEachTime, process);

    private void Free()
    {
        state.Dispose();
        module.Dispose();
    }
}
