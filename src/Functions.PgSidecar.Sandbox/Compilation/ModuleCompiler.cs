using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Compiles one module to one static class: a method a function, and <see cref="AddressMethod"/>.</summary>
internal sealed class ModuleCompiler
{
    /// <summary>The method that gives the address of a function that can be referenced; 0 for any other.</summary>
    public const string AddressMethod = "AddressOf";

    private readonly TypeBuilder type;

    private ModuleCompiler(WasmModule module, SignatureTable signatures, TypeBuilder type, CompilationOptions options)
    {
        Module = module;
        Options = options;
        Signatures = signatures;
        Arithmetic = new ArithmeticMethods(type);
        this.type = type;
        Layout = new ModuleLayout(module);
        MinimumMemoryBytes = module.MemoryTypes.Length == 0 ? 0 : (ulong)module.MemoryTypes[0].Minimum * LinearMemory.PageBytes;
        Methods = [.. module.Bodies.Select((body, index) => type.DefineMethod(
            $"f{module.ImportedFunctions + index}",
            MethodAttributes.Public | MethodAttributes.Static,
            CilMethods.ResultType(body.Type),
            CilMethods.ParameterTypes(body.Type)))];
    }

    public WasmModule Module { get; }

    public CompilationOptions Options { get; }

    public SignatureTable Signatures { get; }

    public ArithmeticMethods Arithmetic { get; }

    public ModuleLayout Layout { get; }

    /// <summary>Linear memory is never smaller: accesses at known addresses below need no check.</summary>
    public ulong MinimumMemoryBytes { get; }

    /// <summary>The methods of the functions the module defines.</summary>
    public MethodBuilder[] Methods { get; }

    public static void Compile(WasmModule module, SignatureTable signatures, ModuleBuilder assembly, string className, CompilationOptions options)
    {
        const TypeAttributes Static = TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed | TypeAttributes.BeforeFieldInit;
        var type = assembly.DefineType(className, Static);
        var compiler = new ModuleCompiler(module, signatures, type, options);
        var entryChecks = CallGraph.FindEntryChecks(module);
        for (var function = 0; function < module.Bodies.Length; function++)
            FunctionCompiler.Compile(compiler, module.Bodies[function], compiler.Methods[function], entryChecks[function]);
        compiler.EmitAddressMethod();
        type.CreateType();
    }

    /// <summary>Addresses are taken one by one, when they are asked for: taking one may make the runtime prepare the method.</summary>
    private void EmitAddressMethod()
    {
        var targets = new SortedDictionary<int, MethodBuilder>();
        foreach (var function in Module.ReferencedFunctions.Append(Module.Start).Where(function => function >= Module.ImportedFunctions))
            targets[function] = Methods[function - Module.ImportedFunctions];
        if (Module.Dylink is not null)
            EmitUnresolvedStubs(targets);

        var method = type.DefineMethod(AddressMethod, MethodAttributes.Public | MethodAttributes.Static, typeof(nint), [typeof(int)]);
        var cil = new CilWriter(method.GetILGenerator(), contextArgument: 0);
        var none = cil.NewLabel();
        var labels = Enumerable.Repeat(none, Module.FunctionTypes.Count).ToArray();
        foreach (var function in targets.Keys)
            labels[function] = cil.NewLabel();
        cil.LoadArgument(0);
        cil.Switch(labels);
        cil.Mark(none);
        cil.Integer(0);
        cil.Emit(OpCodes.Conv_I);
        cil.Emit(OpCodes.Ret);
        foreach (var (function, target) in targets)
        {
            cil.Mark(labels[function]);
            cil.LoadAddressOf(target);
            cil.Emit(OpCodes.Ret);
        }
    }

    /// <summary>A side module may import symbols that nobody defines and that it never calls; a call of one traps.</summary>
    private void EmitUnresolvedStubs(SortedDictionary<int, MethodBuilder> targets)
    {
        for (var import = 0; import < Module.ImportedFunctions; import++)
        {
            var signature = Module.FunctionTypes[import];
            var stub = type.DefineMethod(
                $"unresolved{import}",
                MethodAttributes.Public | MethodAttributes.Static,
                CilMethods.ResultType(signature),
                CilMethods.ParameterTypes(signature));
            var cil = new CilWriter(stub.GetILGenerator(), signature.Parameters.Length);
            cil.Integer(import);
            cil.Context();
            cil.Call(CilMethods.Runtime(nameof(CompiledCode.TrapUnresolved)));
            cil.Emit(OpCodes.Throw);
            targets[import] = stub;
        }
    }
}
