using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>All instances of a script, in one mapping, so that they can share functions, tables, memories and globals as scripts do.</summary>
internal sealed unsafe class ScriptStore : IImportResolver, IDisposable
{
    /// <summary>Room for the contexts and tables of the script with the most modules; address space only.</summary>
    private const int HeaderBytes = (int)GuardedSpace.HeaderBytes;

    /// <summary>What the specification's scripts expect of the host module "spectest".</summary>
    private const string SpecTest = """
        (module
          (global (export "global_i32") i32 (i32.const 666))
          (global (export "global_i64") i64 (i64.const 666))
          (global (export "global_f32") f32 (f32.const 666.6))
          (global (export "global_f64") f64 (f64.const 666.6))
          (table (export "table") 10 20 funcref)
          (memory (export "memory") 1 2)
          (func (export "print"))
          (func (export "print_i32") (param i32))
          (func (export "print_i64") (param i64))
          (func (export "print_f32") (param f32))
          (func (export "print_f64") (param f64))
          (func (export "print_i32_f32") (param i32 f32))
          (func (export "print_f64_f64") (param f64 f64)))
        """;

    private static readonly Lazy<byte[]> AssembledSpecTest = new(() => SpecificationSuite.Assemble(SpecTest));
    private static int images;

    private readonly CompilationOptions options;
    private readonly SignatureTable signatures = new();
    private readonly Func<byte[], CompiledModule> compile;
    private readonly Dictionary<string, ModulePlacement> registered = new(StringComparer.Ordinal);
    private readonly WasmInstance instance;
    private readonly GroupLinker linker;

    /// <param name="guardPages">Whether the modules' code relies on <see cref="CompilationOptions.GuardPages"/>.</param>
    /// <param name="compile">How modules become code; compiled in this process if there is none.</param>
    public ScriptStore(bool guardPages, Func<byte[], CompiledModule>? compile = null)
    {
        options = new CompilationOptions { GuardPages = guardPages };
        this.compile = compile ?? CompileHere;
        var placement = new GroupPlacement(HostFunctions.None, HeaderBytes);
        instance = new WasmInstance(null!, placement, WasmLimits.MemoryPages, guardPages);
        instance.CommitHeader();
        linker = new GroupLinker(instance);
        Register("spectest", Instantiate(SpecTestModule));
    }

    public static byte[] SpecTestModule => AssembledSpecTest.Value;

    public void Register(string name, ModulePlacement module) => registered[name] = module;

    public ModulePlacement Instantiate(byte[] bytes)
    {
        var placed = linker.Instantiate(compile(bytes), this);
        linker.CopySegments(placed);
        linker.RunStart(placed);
        return placed;
    }

    /// <summary>Calls an exported function; the results are cells of 16 bytes.</summary>
    public (UInt128[] Bits, FunctionReference[] Functions) Invoke(ModulePlacement module, string export, ScriptValue[] arguments)
    {
        var function = WasmInstance.EntryOf(module, module.Module.ExportedFunction(export));
        var cells = stackalloc ulong[2 * Math.Max(arguments.Length, 1)];
        for (var index = 0; index < arguments.Length; index++)
        {
            ((UInt128*)cells)[index] = arguments[index].Bits;
        }

        var first = stackalloc ulong[2];
        var context = (nint)instance.Mapping + function.ContextOffset!.Value;
        try
        {
            FunctionThunk.For(function.Type)(function.Code, context, (nint)cells, (nint)first);
        }
        catch (NullReferenceException fault)
        {
            // An export that another module's function stands behind has no entry of its own.
            CompiledCode.TrapFault(fault, context);
            throw;
        }

        var count = function.Type.Results.Length;
        var bits = new UInt128[count];
        var functions = new FunctionReference[count];
        for (var index = 0; index < count; index++)
        {
            var cell = index == 0 ? (byte*)first : instance.Mapping + GroupHeader.ResultsOffset + index * 16;
            // What lies beyond a narrower value in its cell is not part of it.
            bits[index] = function.Type.Results[index] == ValueType.V128 ? *(UInt128*)cell : *(ulong*)cell;
            functions[index] = *(FunctionReference*)cell;
        }

        return (bits, functions);
    }

    public UInt128 ReadGlobal(ModulePlacement module, string export) =>
        *(UInt128*)(instance.Mapping + module.GlobalOffset(module.Module.Definition.Exports[export].Index));

    public ExternalFunction? Function(string module, string name, FunctionType type) =>
        Find(module, name, ExternalKind.Function, out var from, out var index) ? WasmInstance.Resolve(from, index) : null;

    public TablePlacement? Table(string module, string name) =>
        Find(module, name, ExternalKind.Table, out var from, out var index) ? from.Tables[index] : null;

    public MemoryPlacement? Memory(string module, string name) =>
        Find(module, name, ExternalKind.Memory, out var from, out _) ? from.Memory : null;

    public (GlobalType Type, int Offset)? Global(string module, string name, GlobalType type) =>
        Find(module, name, ExternalKind.Global, out var from, out var index)
            ? (from.Module.Definition.GlobalTypes[index], from.GlobalOffset(index))
            : null;

    public void Dispose() => instance.Dispose();

    private CompiledModule CompileHere(byte[] bytes)
    {
        var definition = WasmModule.Decode(bytes);
        signatures.AddAll(definition);
        var id = $"{Interlocked.Increment(ref images):x64}";
        return CompiledImage.Compile(id[32..] + id[..32], ["main"], [definition], signatures, options).Modules[0];
    }

    private bool Find(string module, string name, ExternalKind kind, out ModulePlacement from, out int index)
    {
        index = -1;
        if (!registered.TryGetValue(module, out from!) || !from.Module.Definition.Exports.TryGetValue(name, out var export))
            return false;
        if (export.Kind != kind)
            throw new WasmLinkException($"incompatible import type: {module}.{name} is a {export.Kind}");
        index = export.Index;
        return true;
    }
}
