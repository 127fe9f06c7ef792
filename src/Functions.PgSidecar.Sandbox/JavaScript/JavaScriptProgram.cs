using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Programs;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>A JavaScript function ready to run: the memory of a guest in which the function's top level has run once.</summary>
public sealed class JavaScriptProgram : IProgram
{
    private readonly InstancePool<QuickJs> instances;
    private readonly SandboxThreads threads;

    internal JavaScriptProgram(
        CompiledImage image,
        QuickJsExports exports,
        SandboxThreads threads,
        InstanceSnapshot snapshot,
        GuestHandles handles,
        ReadOnlyMemory<byte> info,
        SourceMap? map,
        MemoryBudget memory,
        bool isUnconditional = false)
    {
        this.threads = threads;
        instances = new InstancePool<QuickJs>(snapshot, memoryBytes => new QuickJs(
            image.Instantiate(snapshot, (int)(memoryBytes / JavaScriptEngine.PageBytes)), exports, handles, memoryBytes), memory, isUnconditional);
        Handles = handles;
        Info = info;
        Map = map;
    }

    /// <summary>What the prelude says of the module: JSON with <c>form</c>, <c>entry</c> and <c>handlers</c>.</summary>
    public ReadOnlyMemory<byte> Info { get; }

    /// <inheritdoc/>
    public long SnapshotBytes => Snapshot.ByteLength;

    /// <summary>Instances that run or wait now.</summary>
    public int Live => instances.Live;

    internal GuestHandles Handles { get; }

    /// <summary>Where its code comes from, if its source said so.</summary>
    internal SourceMap? Map { get; }

    internal InstanceSnapshot Snapshot => instances.Snapshot;

    /// <inheritdoc/>
    public Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon) =>
        new GuestRun(this, request, host, threads).StartAsync(abandon);

    /// <inheritdoc/>
    public void Trim() => instances.Trim();

    /// <summary>Frees the snapshot, once the runs under way have ended; no others can begin.</summary>
    public void Dispose() => instances.Dispose();

    internal QuickJs Rent(long memoryBytes) => instances.Rent(memoryBytes);

    internal void Return(QuickJs instance) => instances.Return(instance);

    internal void Discard(QuickJs instance) => instances.Discard(instance);
}
