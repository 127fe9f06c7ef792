using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The machine code of a module, linked to the functions of the host. Disposing it frees the code.</summary>
internal sealed unsafe class Module : SafeHandle
{
    private static int live;

    private readonly nint code;
    private readonly Lazy<int[]> memoryOrder;

    private Module(Engine engine, nint code, HostFunctionTable functions, int length)
        : base(0, ownsHandle: true)
    {
        this.code = code;
        memoryOrder = new Lazy<int[]>(() => Instance.FindMemoryOrder(this));
        Engine = engine;
        CodeBytes = length;
        var linker = Native.wasmtime_linker_new(engine.Handle);
        functions.Define(linker);
        // The JavaScript engine's extensions import a few undefined functions, but never call them.
        if (
            engine.Kind == EngineKind.JavaScript
            && Native.wasmtime_linker_define_unknown_imports_as_traps(linker, code) is not 0 and var unknown
        )
            throw new InvalidOperationException(Native.TakeError(unknown));
        var error = Native.wasmtime_linker_instantiate_pre(linker, code, out var prepared);
        Native.wasmtime_linker_delete(linker);
        if (error != 0)
        {
            Native.wasmtime_module_delete(code);
            throw new ModuleException(Native.TakeError(error));
        }
        SetHandle(prepared);
        Interlocked.Increment(ref live);
    }

    /// <summary>Number of modules whose code is in memory now.</summary>
    public static int LiveCount => Volatile.Read(ref live);

    /// <summary>The engine that it was loaded into.</summary>
    public Engine Engine { get; }

    /// <summary>About the size of its code in memory, in bytes.</summary>
    public int CodeBytes { get; }

    /// <summary>See <see cref="Instance.FindMemoryOrder"/>.</summary>
    internal int[] MemoryOrder => memoryOrder.Value;

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The module to instantiate. Use it only while this object is alive.</summary>
    internal nint Prepared => handle;

    /// <summary>
    /// Loads the output of <see cref="Engine.Compile"/>. It is machine code and is trusted: the caller must know its origin.
    /// </summary>
    /// <exception cref="ModuleException">It was compiled by another version, with other settings or for another processor; or an import is
    /// missing.</exception>
    public static Module Load(Engine engine, ReadOnlySpan<byte> compiled, HostFunctionTable functions)
    {
        fixed (byte* bytes = compiled)
        {
            return Native.wasmtime_module_deserialize(engine.Handle, bytes, (nuint)compiled.Length, out var code) is not 0 and var error
                ? throw new ModuleException(Native.TakeError(error))
                : new Module(engine, code, functions, compiled.Length);
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        Native.wasmtime_instance_pre_delete(handle);
        Native.wasmtime_module_delete(code);
        Interlocked.Decrement(ref live);
        return true;
    }
}
