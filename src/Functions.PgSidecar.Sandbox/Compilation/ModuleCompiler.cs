using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Compiles one module to a static class: a method a function, and <see cref="AddressMethod"/>. More classes hold what does not fit into one.</summary>
internal sealed class ModuleCompiler
{
    /// <summary>The method that gives the address of a function that can be referenced; 0 for any other.</summary>
    public const string AddressMethod = "AddressOf";

    /// <summary>
    /// The method that gives the address at which the host calls an exported function or the start function, in code that relies on guard pages; other
    /// classes do not have it, and any address will do.
    /// </summary>
    public const string EntryMethod = "EntryOf";

    /// <summary>Functions whose addresses one method knows: a method of a hundred thousand would take minutes to compile.</summary>
    private const int AddressesAtOnce = 1024;

    /// <summary>The runtime allows a class 65,535 methods.</summary>
    private const int FunctionsInClass = 50_000;

    private const TypeAttributes Static = TypeAttributes.Public | TypeAttributes.Abstract | TypeAttributes.Sealed | TypeAttributes.BeforeFieldInit;

    private readonly TypeBuilder type;
    private readonly TypeBuilder[] classes;

    private ModuleCompiler(
        WasmModule module, SignatureTable signatures, ModuleBuilder assembly, string className, CompilationOptions options, int? memoryDistance)
    {
        Module = module;
        MemoryDistance = memoryDistance;
        Options = options;
        Signatures = signatures;
        type = assembly.DefineType(className, Static);
        Arithmetic = new ArithmeticMethods(type);
        Layout = new ModuleLayout(module);
        MinimumMemoryBytes = module.MemoryTypes.Length == 0 ? 0 : (ulong)module.MemoryTypes[0].Minimum * LinearMemory.PageBytes;
        classes = [type, .. module.Bodies.Chunk(FunctionsInClass).Skip(1).Select((_, index) => assembly.DefineType($"{type.Name}More{index}", Static))];
        Methods = [.. module.Bodies.Select((body, index) =>
            Define(classes[index / FunctionsInClass], $"f{module.ImportedFunctions + index}", body.Type))];
    }

    public WasmModule Module { get; }

    public CompilationOptions Options { get; }

    public SignatureTable Signatures { get; }

    public ArithmeticMethods Arithmetic { get; }

    public ModuleLayout Layout { get; }

    /// <summary>Linear memory is never smaller: accesses at known addresses below need no check.</summary>
    public ulong MinimumMemoryBytes { get; }

    /// <summary>How far linear memory is from the module's context, where that is known already: else it has to be read from the context.</summary>
    public int? MemoryDistance { get; }

    /// <summary>The methods of the functions the module defines.</summary>
    public MethodBuilder[] Methods { get; }

    public static void Compile(
        WasmModule module, SignatureTable signatures, ModuleBuilder assembly, string className, CompilationOptions options, int? memoryDistance)
    {
        var compiler = new ModuleCompiler(module, signatures, assembly, className, options, memoryDistance);
        var entryChecks = CallGraph.FindEntryChecks(module);
        for (var function = 0; function < module.Bodies.Length; function++)
        {
            // Optimising takes more than linear time in blocks and the depth of loops; not optimising does not.
            if (FunctionComplexity.IsBeyondOptimising(module.Bodies[function].Instructions))
                compiler.Methods[function].SetImplementationFlags(MethodImplAttributes.NoOptimization);
            else if (options.OptimizeAtFirstCall)
                compiler.Methods[function].SetImplementationFlags(MethodImplAttributes.AggressiveOptimization);
            FunctionCompiler.Compile(compiler, module.Bodies[function], compiler.Methods[function], entryChecks[function]);
        }

        compiler.EmitAddressMethod();
        var entries = options.GuardPages ? compiler.EmitEntries(assembly) : null;
        foreach (var part in compiler.classes)
            part.CreateType();
        entries?.CreateType();
    }

    /// <summary>A method for a function of a type.</summary>
    private static MethodBuilder Define(TypeBuilder type, string name, FunctionType signature) => type.DefineMethod(
        name, MethodAttributes.Public | MethodAttributes.Static, CilMethods.ResultType(signature), CilMethods.ParameterTypes(signature));

    /// <summary>Addresses are taken one by one, when they are asked for: taking one may make the runtime prepare the method.</summary>
    private void EmitAddressMethod()
    {
        var targets = new SortedDictionary<int, MethodBuilder>();
        foreach (var function in Module.ReferencedFunctions.Append(Module.Start).Where(function => function >= Module.ImportedFunctions))
            targets[function] = Methods[function - Module.ImportedFunctions];
        if (Module.Dylink is not null)
            EmitUnresolvedStubs(targets);
        EmitAddresses(AddressMethod, targets);
    }

    /// <summary>Methods that the host calls instead of the functions themselves: a fault inside leaves them as a trap.</summary>
    private TypeBuilder EmitEntries(ModuleBuilder assembly)
    {
        var entries = assembly.DefineType($"{type.Name}Entries", Static);
        var exported = Module.Exports.Values.Where(export => export.Kind == ExternalKind.Function).Select(export => export.Index);
        var targets = new SortedDictionary<int, MethodBuilder>();
        foreach (var function in exported.Append(Module.Start).Where(function => function >= Module.ImportedFunctions).Distinct())
            targets[function] = EmitEntry(entries, function);
        EmitAddresses(EntryMethod, targets);
        return entries;
    }

    private MethodBuilder EmitEntry(TypeBuilder entries, int function)
    {
        var signature = Module.FunctionTypes[function];
        var entry = Define(entries, $"entry{function}", signature);
        var cil = new CilWriter(entry.GetILGenerator(), signature.Parameters.Length);
        var result = signature.Results.IsEmpty ? null : cil.NewLocal(CilMethods.ResultType(signature));
        cil.BeginTry();
        for (var argument = 0; argument <= signature.Parameters.Length; argument++)
            cil.LoadArgument(argument);
        cil.Call(Methods[function - Module.ImportedFunctions]);
        if (result is not null)
            cil.Store(result);
        cil.BeginCatch(typeof(NullReferenceException));
        cil.Context();
        cil.Call(CilMethods.Runtime(nameof(CompiledCode.TrapFault)));
        cil.Emit(OpCodes.Rethrow);
        cil.EndTry();
        if (result is not null)
            cil.Load(result);
        cil.Emit(OpCodes.Ret);
        return entry;
    }

    /// <summary>A method that answers the address of each of the targets.</summary>
    private void EmitAddresses(string name, SortedDictionary<int, MethodBuilder> targets)
    {
        var parts = targets.GroupBy(target => target.Key / AddressesAtOnce).Select(part => KeyValuePair.Create(
            part.Key, EmitChoice($"{name}{part.Key}", part.Key * AddressesAtOnce, 1, part, (cil, target) => cil.LoadAddressOf(target))));
        EmitChoice(name, 0, AddressesAtOnce, parts, (cil, part) =>
        {
            cil.LoadArgument(0);
            cil.Call(part);
        });
    }

    /// <summary>A method that answers what belongs to (its argument - first) / divisor among the choices, and 0 where there is none.</summary>
    private MethodBuilder EmitChoice(
        string name, int first, int divisor, IEnumerable<KeyValuePair<int, MethodBuilder>> choices, Action<CilWriter, MethodBuilder> answer)
    {
        var known = choices.ToArray();
        var method = type.DefineMethod(name, MethodAttributes.Public | MethodAttributes.Static, typeof(nint), [typeof(int)]);
        var cil = new CilWriter(method.GetILGenerator(), contextArgument: 0);
        var none = cil.NewLabel();
        var start = first / divisor;
        var labels = Enumerable.Repeat(none, known.Length == 0 ? 0 : known[^1].Key - start + 1).ToArray();
        foreach (var (key, _) in known)
            labels[key - start] = cil.NewLabel();
        cil.LoadArgument(0);
        cil.Integer(first);
        cil.Emit(OpCodes.Sub);
        cil.Integer(divisor);
        cil.Emit(OpCodes.Div_Un);
        cil.Switch(labels);
        cil.Mark(none);
        cil.Integer(0);
        cil.Emit(OpCodes.Conv_I);
        cil.Emit(OpCodes.Ret);
        foreach (var (key, choice) in known)
        {
            cil.Mark(labels[key - start]);
            answer(cil, choice);
            cil.Emit(OpCodes.Ret);
        }

        return method;
    }

    /// <summary>A side module may import symbols that nobody defines and that it never calls; a call of one traps.</summary>
    private void EmitUnresolvedStubs(SortedDictionary<int, MethodBuilder> targets)
    {
        for (var import = 0; import < Module.ImportedFunctions; import++)
        {
            var signature = Module.FunctionTypes[import];
            var stub = Define(type, $"unresolved{import}", signature);
            var cil = new CilWriter(stub.GetILGenerator(), signature.Parameters.Length);
            cil.Integer(import);
            cil.Context();
            cil.Call(CilMethods.Runtime(nameof(CompiledCode.TrapUnresolved)));
            cil.Emit(OpCodes.Throw);
            targets[import] = stub;
        }
    }
}
