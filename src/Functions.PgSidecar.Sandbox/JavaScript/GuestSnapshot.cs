using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The state of a JavaScript engine between two events: its memory, and the stack pointer, which is its only global that changes. Its table never does.
/// </summary>
internal sealed class GuestSnapshot(MemoryImage memory, int stackPointer) : IDisposable
{
    private const string StackPointerExport = "__stack_pointer";

    private readonly MemorySlots[] memories = [new MemorySlots(memory)];

    public MemoryImage Memory => memory;

    public int StackPointer => stackPointer;

    /// <summary>The state of an instance that does not run.</summary>
    public static GuestSnapshot Of(Instance instance) => new(MemoryImage.Of(instance.Memory(0)), (int)instance.GetGlobal(StackPointerExport).Low);

    /// <summary>An instance in this state.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than its limit.</exception>
    public Instance Instantiate(Module code, long memoryLimit)
    {
        var instance = new Instance(code, memories, memoryLimit);
        instance.UseMemory(0);
        instance.SetGlobal(StackPointerExport, ValueKind.I32, (uint)stackPointer, 0);
        return instance;
    }

    /// <summary>Counts its idle memory with that of all.</summary>
    public void ShareWith(Programs.MemoryBudget all) => memories[0].ShareWith(all);

    /// <summary>Gives back idle memory.</summary>
    public void Trim() => memories[0].Trim();

    public void Dispose() => memories[0].Dispose();
}
