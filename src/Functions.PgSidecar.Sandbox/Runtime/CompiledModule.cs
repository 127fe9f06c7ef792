using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>A module and its machine code, without any state.</summary>
internal sealed unsafe class CompiledModule
{
    private readonly delegate*<int, nint> addressOf;
    private readonly delegate*<int, nint> entryOf;
    private readonly SignatureTable signatures;

    public CompiledModule(string name, WasmModule definition, SignatureTable signatures, Type code)
    {
        Name = name;
        Definition = definition;
        Layout = new ModuleLayout(definition);
        Code = code;
        this.signatures = signatures;
        addressOf = Find(ModuleCompiler.AddressMethod);
        if (addressOf is null)
            throw new InvalidDataException($"{code} is not a compiled module.");
        entryOf = Find(ModuleCompiler.EntryMethod);
    }

    public string Name { get; }

    public WasmModule Definition { get; }

    public ModuleLayout Layout { get; }

    /// <summary>The class that holds the compiled functions.</summary>
    public Type Code { get; }

    /// <summary>Whether the code compares no addresses: it may run in a <see cref="GuardedSpace"/> only.</summary>
    public bool HasGuardPages => entryOf is not null;

    /// <summary>The address of a function that can be referenced. Of an imported one: of the stub that stands in while it is unresolved.</summary>
    public nint AddressOf(int function) => addressOf(function);

    /// <summary>Where the host calls an exported function that the module defines, or its start function.</summary>
    public nint EntryOf(int function) => HasGuardPages ? entryOf(function) : addressOf(function);

    public int TypeIdOf(int function) => signatures.IdOf(Definition.FunctionTypes[function]);

    /// <summary>The index of an exported function; -1 when there is none of that name.</summary>
    public int ExportedFunction(string name) =>
        Definition.Exports.TryGetValue(name, out var export) && export.Kind == ExternalKind.Function ? export.Index : -1;

    private delegate*<int, nint> Find(string method) =>
        Code.GetMethod(method) is { } found ? (delegate*<int, nint>)found.MethodHandle.GetFunctionPointer() : null;
}
