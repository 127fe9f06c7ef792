using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>A module and its machine code, without any state.</summary>
internal sealed unsafe class CompiledModule
{
    private readonly delegate*<int, nint> addressOf;
    private readonly SignatureTable signatures;

    public CompiledModule(string name, WasmModule definition, SignatureTable signatures, Type code)
    {
        Name = name;
        Definition = definition;
        Layout = new ModuleLayout(definition);
        Code = code;
        this.signatures = signatures;
        var method = code.GetMethod(ModuleCompiler.AddressMethod) ?? throw new InvalidDataException($"{code} is not a compiled module.");
        addressOf = (delegate*<int, nint>)method.MethodHandle.GetFunctionPointer();
    }

    public string Name { get; }

    public WasmModule Definition { get; }

    public ModuleLayout Layout { get; }

    /// <summary>The class that holds the compiled functions.</summary>
    public Type Code { get; }

    /// <summary>The address of a function that can be referenced. Of an imported one: of the stub that stands in while it is unresolved.</summary>
    public nint AddressOf(int function) => addressOf(function);

    public int TypeIdOf(int function) => signatures.IdOf(Definition.FunctionTypes[function]);

    /// <summary>The index of an exported function; -1 when there is none of that name.</summary>
    public int ExportedFunction(string name) =>
        Definition.Exports.TryGetValue(name, out var export) && export.Kind == ExternalKind.Function ? export.Index : -1;
}
