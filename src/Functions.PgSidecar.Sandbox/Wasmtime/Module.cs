using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>Machine code of a module, linked to the functions of the host. Its code is freed with it.</summary>
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
        // The JavaScript engine's extensions name a few functions that nobody defines, and never call them.
        if (engine.Kind == EngineKind.JavaScript && Native.wasmtime_linker_define_unknown_imports_as_traps(linker, code) is not 0 and var unknown)
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

    /// <summary>Modules whose code this process holds now.</summary>
    public static int LiveCount => Volatile.Read(ref live);

    /// <summary>The engine that it was loaded into.</summary>
    public Engine Engine { get; }

    /// <summary>About what its code takes in memory.</summary>
    public int CodeBytes { get; }

    /// <summary>See <see cref="Instance.FindMemoryOrder"/>.</summary>
    internal int[] MemoryOrder => memoryOrder.Value;

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The module to instantiate: call it while the module is kept alive.</summary>
    internal nint Prepared => handle;

    /// <summary>Loads what <see cref="Engine.Compile"/> made. It is machine code and is believed: the caller has to know where it is from.</summary>
    /// <exception cref="ModuleException">It was made by another version, with other settings or for another processor; or an import is missing.</exception>
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
