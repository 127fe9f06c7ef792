using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.Wasi;

/// <summary>A module ready to run: its memory after it was instantiated and, of a reactor, after its <c>_initialize</c>.</summary>
public sealed class WasmProgram : IProgram
{
    private readonly InstancePool<WasmGuest> instances;
    private readonly SandboxThreads threads;

    internal WasmProgram(string name, CompiledImage image, ModuleForm form, InstanceSnapshot snapshot, SandboxThreads threads)
    {
        Name = name;
        Form = form;
        this.threads = threads;
        instances = new InstancePool<WasmGuest>(snapshot, memoryBytes => new WasmGuest(
            image.Instantiate(snapshot, (int)(memoryBytes / LinearMemory.PageBytes)), image, form, memoryBytes));
    }

    /// <summary>The function's name: the module's first argument.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public long SnapshotBytes => Snapshot.ByteLength;

    internal ModuleForm Form { get; }

    internal InstanceSnapshot Snapshot => instances.Snapshot;

    /// <inheritdoc/>
    public Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon) =>
        new WasmRun(this, request, host, threads).StartAsync(abandon);

    /// <inheritdoc/>
    public void Trim() => instances.Trim();

    /// <summary>Frees the snapshot, once the runs under way have ended; no others can begin.</summary>
    public void Dispose() => instances.Dispose();

    internal WasmGuest Rent(long memoryBytes) => instances.Rent(memoryBytes);

    internal void Return(WasmGuest guest) => instances.Return(guest);
}
