namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// WebAssembly modules compiled together to machine code: a main module and the side modules that link against it. Load an image once a
/// process; its code is shared by every instance and is never freed before the process ends.
/// </summary>
public sealed class CompiledImage
{
    /// <summary>Loads an image that the guest compiler wrote: the assembly at <paramref name="path"/> and its <c>.wasmimage</c> beside it.</summary>
    /// <exception cref="FileNotFoundException">One of the two files is missing.</exception>
    /// <exception cref="InvalidDataException">The files do not belong together, or were written by another version of the compiler.</exception>
    public static CompiledImage Load(string path) => throw new NotImplementedException(path);

    /// <summary>Identifies the compiled modules and the code layout: snapshots move only between images with equal ids. 64 hex digits.</summary>
    public string EngineId => throw new NotImplementedException();

    /// <summary>The modules' names, the main module first.</summary>
    public IReadOnlyList<string> ModuleNames => throw new NotImplementedException();

    /// <summary>
    /// The address of an exported function of the main module, good for every instance of this image. Call it as
    /// <c>((delegate*&lt;int, int, nint, int&gt;)address)(a, b, instance.Context)</c>: the WebAssembly parameters, then the context.
    /// </summary>
    /// <exception cref="WasmLinkException">There is no such export.</exception>
    public nint Function(string export) => throw new NotImplementedException(export);

    /// <summary>The address of a side module's exported function; pass it <see cref="WasmInstance.ContextOf"/> that module.</summary>
    /// <exception cref="WasmLinkException">There is no such module or export.</exception>
    public nint Function(string module, string export) => throw new NotImplementedException(module + export);

    /// <summary>
    /// Starts a fresh instance: instantiates the main module, runs its <c>_initialize</c> if it has one, then links every side module
    /// (memory and table space, relocations, constructors). Runs guest code: call it on a thread with <see cref="WasmInstance.RunStackBytes"/> of stack.
    /// </summary>
    /// <param name="host">What the modules may import.</param>
    /// <param name="memoryLimitPages">The most 64 KiB pages linear memory may grow to.</param>
    /// <exception cref="WasmLinkException">An import is missing or of another type, or the limit is below what the module starts with.</exception>
    /// <exception cref="WasmTrapException">A start function or constructor trapped.</exception>
    public WasmInstance Start(HostFunctions host, int memoryLimitPages) => throw new NotImplementedException();

    /// <summary>A new instance with the snapshot's memory, copied on write: costs microseconds, whatever the memory's size.</summary>
    /// <exception cref="WasmLinkException">The limit is below the snapshot's memory.</exception>
    public WasmInstance Instantiate(InstanceSnapshot snapshot, int memoryLimitPages) => throw new NotImplementedException();

    /// <summary>Reads a snapshot that <see cref="InstanceSnapshot.WriteTo"/> wrote, in this process or another one.</summary>
    /// <exception cref="InvalidDataException">The bytes are no snapshot, or one of an image with another <see cref="EngineId"/>.</exception>
    public InstanceSnapshot ReadSnapshot(Stream source, HostFunctions host) => throw new NotImplementedException();
}
