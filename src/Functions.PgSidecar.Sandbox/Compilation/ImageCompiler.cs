using System.Reflection;
using System.Reflection.Emit;
using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>Compiles modules to an assembly: one to save, for ahead-of-time compilation, or one to run at once.</summary>
internal static class ImageCompiler
{
    public static string ClassName(int ordinal) => $"Module{ordinal}";

    /// <summary>Compiles modules into an assembly file's bytes.</summary>
    public static void CompileTo(Stream destination, string assemblyName, IReadOnlyList<WasmModule> modules, CompilationOptions options)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName(assemblyName), typeof(object).Assembly);
        Compile(assembly.DefineDynamicModule(assemblyName), modules, Numbered(modules), options, GroupPlacement.HeaderBytesOf(modules));
        assembly.Save(destination);
    }

    /// <summary>Compiles modules into this process. The code stays until it ends.</summary>
    public static Assembly CompileHere(
        string assemblyName, IReadOnlyList<WasmModule> modules, SignatureTable signatures, CompilationOptions options, int? headerBytes)
    {
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName(assemblyName), AssemblyBuilderAccess.Run);
        Compile(assembly.DefineDynamicModule(assemblyName), modules, signatures, options, headerBytes);
        return assembly;
    }

    /// <summary>The numbers of all types, in the order compiling and loading agree on.</summary>
    public static SignatureTable Numbered(IReadOnlyList<WasmModule> modules)
    {
        var signatures = new SignatureTable();
        foreach (var module in modules)
            signatures.AddAll(module);
        return signatures;
    }

    /// <param name="headerBytes">Of the group whose first modules these are; null where that is not known.</param>
    private static void Compile(
        ModuleBuilder target, IReadOnlyList<WasmModule> modules, SignatureTable signatures, CompilationOptions options, int? headerBytes)
    {
        for (var ordinal = 0; ordinal < modules.Count; ordinal++)
        {
            // The first module's context lies at the beginning of the header, and the memory it defines right behind the header.
            var knowsMemory = ordinal == 0 && modules[0] is { ImportedMemories: 0, MemoryTypes.Length: 1 };
            ModuleCompiler.Compile(modules[ordinal], signatures, target, ClassName(ordinal), options, knowsMemory ? headerBytes - GroupHeader.Size : null);
        }
    }
}
