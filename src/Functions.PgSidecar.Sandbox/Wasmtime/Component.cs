using System.Runtime.InteropServices;
using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Compilation;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The machine code of a component. Disposing it frees the code.</summary>
internal sealed unsafe class Component : SafeHandle
{
    private Component(Engine engine, nint code, int length)
        : base(0, ownsHandle: true)
    {
        SetHandle(code);
        Engine = engine;
        CodeBytes = length;
    }

    /// <summary>The engine that it was loaded into.</summary>
    public Engine Engine { get; }

    /// <summary>About the size of its code in memory, in bytes.</summary>
    public int CodeBytes { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>The component for native calls. Use it only while this object is alive.</summary>
    internal nint Code => handle;

    /// <summary>
    /// Compiles a component to machine code for <see cref="Load"/>. It has no limits of time or memory: see <see cref="CompilerProcess"/>.
    /// </summary>
    /// <returns>The code, and the names of the component's exports.</returns>
    /// <exception cref="ModuleException">It is invalid, or can't be compiled.</exception>
    public static (byte[] Code, IReadOnlyList<string> Exports) Compile(Engine engine, ReadOnlySpan<byte> component)
    {
        nint compiled;
        fixed (byte* bytes = component)
        {
            var error = ComponentNative.wasmtime_component_new(engine.Handle, bytes, (nuint)component.Length, out compiled);
            if (error != 0)
                throw new ModuleException(Native.TakeError(error));
        }
        var exports = ExportsOf(engine, compiled);
        var failure = ComponentNative.wasmtime_component_serialize(compiled, out var serialized);
        ComponentNative.wasmtime_component_delete(compiled);
        return failure == 0 ? (Native.TakeBytes(serialized), exports) : throw new ModuleException(Native.TakeError(failure));
    }

    /// <summary>Loads the output of <see cref="Compile"/>. It is machine code and is trusted: the caller must know its origin.</summary>
    /// <exception cref="ModuleException">It was compiled by another version, with other settings or for another processor.</exception>
    public static Component Load(Engine engine, ReadOnlySpan<byte> compiled)
    {
        fixed (byte* bytes = compiled)
        {
            var error = ComponentNative.wasmtime_component_deserialize(engine.Handle, bytes, (nuint)compiled.Length, out var code);
            return error == 0 ? new Component(engine, code, compiled.Length) : throw new ModuleException(Native.TakeError(error));
        }
    }

    /// <summary>Finds a function in an exported interface.</summary>
    /// <param name="name">The name of the interface as the component has it, with its version.</param>
    /// <param name="function">The name of the function.</param>
    /// <returns>The export, to be freed by its user; 0 if there is none.</returns>
    public nint FindExport(string name, string function)
    {
        var outer = Find(0, name);
        if (outer == 0)
            return 0;
        var inner = Find(outer, function);
        ComponentNative.wasmtime_component_export_index_delete(outer);
        return inner;
    }

    /// <summary>Frees what <see cref="FindExport"/> has found.</summary>
    public static void DeleteExport(nint export) => ComponentNative.wasmtime_component_export_index_delete(export);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        ComponentNative.wasmtime_component_delete(handle);
        return true;
    }

    private static List<string> ExportsOf(Engine engine, nint compiled)
    {
        var type = ComponentNative.wasmtime_component_type(compiled);
        var names = new List<string>();
        for (nuint index = 0; index < ComponentNative.wasmtime_component_type_export_count(type, engine.Handle); index++)
        {
            if (
                !ComponentNative.wasmtime_component_type_export_nth(
                    type,
                    engine.Handle,
                    index,
                    out var name,
                    out var length,
                    out var external
                )
            )
                continue;
            names.Add(Encoding.UTF8.GetString(name, (int)length));
            ComponentNative.wasmtime_component_extern_delete(external);
        }
        ComponentNative.wasmtime_component_type_delete(type);
        return names;
    }

    private nint Find(nint within, string name)
    {
        var bytes = Encoding.UTF8.GetBytes(name);
        fixed (byte* text = bytes)
            return ComponentNative.wasmtime_component_get_export_index(handle, within, text, (nuint)bytes.Length);
    }
}
