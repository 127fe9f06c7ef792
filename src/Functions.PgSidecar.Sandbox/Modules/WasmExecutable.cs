using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>What a run gives its guest.</summary>
/// <param name="Name">The function's name.</param>
/// <param name="Envelope">UTF-8 JSON that describes the event.</param>
/// <param name="Body">The body of a request.</param>
internal readonly record struct GuestInput(string Name, ReadOnlyMemory<byte> Envelope, ReadOnlyMemory<byte> Body);

/// <summary>What a guest answers.</summary>
/// <param name="Head">Status and headers as JSON; empty for other events than requests.</param>
/// <param name="Body">The body.</param>
internal readonly record struct GuestAnswer(ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Body);

/// <summary>The code of a module or a component, and how it is run.</summary>
internal abstract class WasmExecutable : IDisposable
{
    /// <summary>Memory that all instances share, in bytes.</summary>
    public abstract long ByteLength { get; }

    /// <summary>Whether its code counts instructions.</summary>
    public abstract bool CountsFuel { get; }

    /// <summary>Whether its code has been freed.</summary>
    public abstract bool IsFreed { get; }

    /// <summary>Which kind it is, as <c>functions.versions.info</c> says it.</summary>
    public abstract (string Form, string Entry, bool StartsEachTime) Description { get; }

    /// <summary>Creates a store for one run. No code of the guest runs yet.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    public abstract Store NewStore(long memoryBytes);

    /// <summary>Runs the guest once.</summary>
    /// <param name="store">A new store of <see cref="NewStore"/>.</param>
    /// <param name="input">The event.</param>
    /// <param name="host">Serves its imports.</param>
    public abstract GuestAnswer Run(Store store, in GuestInput input, IModuleHost host);

    /// <summary>Writes the stored form.</summary>
    /// <param name="writer">The target.</param>
    /// <param name="code">The machine code that it was loaded from.</param>
    public abstract void WriteTo(BinaryWriter writer, ReadOnlySpan<byte> code);

    /// <summary>Counts idle memory in a budget, and lets the budget free it.</summary>
    public virtual void ShareWith(MemoryBudget all) { }

    /// <summary>Gives back idle memory.</summary>
    public virtual void Trim() { }

    public abstract void Dispose();
}
