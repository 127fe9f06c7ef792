using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>How a module is started, and which part of its state is kept.</summary>
/// <param name="Form">How it is called.</param>
/// <param name="HasStart">Whether it has a start function, under <see cref="ModuleRewriter.StartExport"/>.</param>
/// <param name="HasInitialize">Whether it exports <c>_initialize</c>.</param>
/// <param name="MainMemory">The index of the memory that it exports as <c>memory</c>; -1 for none.</param>
/// <param name="MemoryBytes">The initial size of each memory.</param>
/// <param name="Globals">The indices of its mutable globals that are numbers.</param>
/// <param name="Tables">How many tables it has.</param>
/// <param name="CanBeKept">Whether its whole state after the start is in its memories, in those globals, and in unchanged tables.</param>
internal sealed record ModulePlan(
    ModuleForm Form,
    bool HasStart,
    bool HasInitialize,
    int MainMemory,
    long[] MemoryBytes,
    int[] Globals,
    int Tables,
    bool CanBeKept
)
{
    public const string Initialize = "_initialize";

    private const string Memory = "memory";
    private const int MaxGlobals = 50_000;
    private const int MaxTables = 16;
    private const int MaxMemories = 16;
    private const long PageBytes = 64 * 1024;

    /// <summary>Whether code of the module runs before its entry is called.</summary>
    public bool Starts => HasStart || HasInitialize;

    /// <exception cref="ModuleException">The module can't be a function; the message says why.</exception>
    public static ModulePlan Of(ParsedModule module, string? handler, HostFunctionTable functions)
    {
        if (module.IsShared)
            throw new ModuleException("The module is a shared library (dylink.0); link it into a complete module.");
        var form = ModuleForm.Of(module, handler);
        CheckImports(module, functions);
        return Of(module, form);
    }

    /// <exception cref="ModuleException">It has too many globals, tables or memories.</exception>
    public static ModulePlan Of(ParsedModule module, ModuleForm form)
    {
        if (module.Globals.Count > MaxGlobals || module.Tables.Count > MaxTables || module.MemoryPages.Count > MaxMemories)
            throw new ModuleException($"The module has more than {MaxGlobals} globals, {MaxTables} tables or {MaxMemories} memories.");
        var mutable = Enumerable
            .Range(0, module.Globals.Count)
            .Where(index => module.Globals[index] is { IsMutable: true, Type.IsNumber: true });
        return new ModulePlan(
            form,
            module.Start is not null,
            HasInitializer(module),
            module.Exports.TryGetValue(Memory, out var memory) && memory.Kind == EntityKind.Memory ? memory.Index : -1,
            [.. module.MemoryPages.Select(BytesOf)],
            [.. mutable],
            module.Tables.Count,
            IsAllKept(module)
        );
    }

    public void WriteTo(BinaryWriter writer)
    {
        writer.Write(Form.Entry);
        writer.Write(Form.IsCommand);
        writer.Write(HasStart);
        writer.Write(HasInitialize);
        writer.Write(MainMemory);
        writer.Write(MemoryBytes.Length);
        Array.ForEach(MemoryBytes, writer.Write);
        writer.Write(Globals.Length);
        Array.ForEach(Globals, writer.Write);
        writer.Write(Tables);
        writer.Write(CanBeKept);
    }

    public static ModulePlan Read(BinaryReader reader) =>
        new(
            new ModuleForm(reader.ReadString(), reader.ReadBoolean()),
            reader.ReadBoolean(),
            reader.ReadBoolean(),
            reader.ReadInt32(),
            [.. Enumerable.Range(0, Bounded(reader.ReadInt32(), MaxMemories)).Select(_ => reader.ReadInt64())],
            [.. Enumerable.Range(0, Bounded(reader.ReadInt32(), MaxGlobals)).Select(_ => reader.ReadInt32())],
            Bounded(reader.ReadInt32(), MaxTables),
            reader.ReadBoolean()
        );

    private static long BytesOf(ulong pages) =>
        pages <= uint.MaxValue ? (long)pages * PageBytes : throw new ModuleException("The module needs more than 256 TiB of memory.");

    private static int Bounded(int count, int maximum) =>
        count >= 0 && count <= maximum ? count : throw new InvalidDataException("The stored module is damaged.");

    private static bool HasInitializer(ParsedModule module)
    {
        if (!module.Exports.TryGetValue(Initialize, out var export) || export.Kind != EntityKind.Function)
            return false;
        return export.Index >= module.Imports.Count && module.TypeOf(export.Index) is { Parameters.Length: 0, Results.Length: 0 }
            ? true
            : throw new ModuleException("The export _initialize must be a function of the module itself, without parameters and results.");
    }

    private static void CheckImports(ParsedModule module, HostFunctionTable functions)
    {
        foreach (var (from, name, type) in module.Imports)
        {
            if (functions.TypeOf(from, name) is not { } offered)
                throw new ModuleException(
                    $"The module imports the function {from}.{name}, which does not exist; docs/wasm-abi.md lists the existing ones."
                );
            if (offered != type.Code)
                throw new ModuleException(
                    $"The module imports the function {from}.{name} as {type}; it has another type, see docs/wasm-abi.md."
                );
        }
    }

    /// <summary>
    /// References lead to objects that the start may have changed, and that can't be stored; references to functions can, if they are
    /// immutable. It can't be stored either that a segment was dropped.
    /// </summary>
    private static bool IsAllKept(ParsedModule module) =>
        !module.HasPassiveSegments
        && module.Tables.TrueForAll(table => table.IsFunction(module.Types))
        && module.Globals.TrueForAll(global => global.Type.IsNumber || (!global.IsMutable && global.Type.IsFunction(module.Types)));
}
