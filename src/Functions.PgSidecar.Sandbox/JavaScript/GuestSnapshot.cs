using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The state of a JavaScript engine between two events: its memory and its stack pointer, the only mutable global. Its table never changes.
/// </summary>
internal sealed class GuestSnapshot(MemoryImage memory, int stackPointer) : IDisposable
{
    private const string StackPointerExport = "__stack_pointer";

    private readonly MemorySlots[] memories = [new MemorySlots(memory)];

    public MemoryImage Memory => memory;

    public int StackPointer => stackPointer;

    /// <summary>The state of an instance that is not running.</summary>
    public static GuestSnapshot Of(Instance instance) =>
        new(MemoryImage.Of(instance.Memory(0)), (int)instance.GetGlobal(StackPointerExport).Low);

    /// <summary>Creates an instance in this state.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    public Instance Instantiate(Module code, long memoryLimit)
    {
        var instance = new Instance(code, memories, memoryLimit);
        instance.UseMemory(0);
        instance.SetGlobal(StackPointerExport, ValueKind.I32, (uint)stackPointer, 0);
        return instance;
    }

    /// <summary>Counts idle memory in a budget, and lets the budget free it.</summary>
    public void ShareWith(MemoryBudget all) => memories[0].ShareWith(all);

    /// <summary>Frees idle memory that has not been used since the last call.</summary>
    public void Trim() => memories[0].Trim();

    public void Dispose() => memories[0].Dispose();
}
