namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>A module while it is being decoded: what the sections so far have declared, and the checks that need it.</summary>
internal sealed class ModuleDraft
{
    private readonly HashSet<string> exportNames = new(StringComparer.Ordinal);

    public List<FunctionType> Types { get; } = [];

    public List<Import> Imports { get; } = [];

    public List<Export> Exports { get; } = [];

    public List<FunctionType> FunctionTypes { get; } = [];

    public List<int> DefinedFunctionTypes { get; } = [];

    public List<TableType> TableTypes { get; } = [];

    public List<MemoryType> MemoryTypes { get; } = [];

    public List<GlobalType> GlobalTypes { get; } = [];

    public int ImportedFunctions { get; private set; }

    public int ImportedTables { get; private set; }

    public int ImportedMemories { get; private set; }

    public int ImportedGlobals { get; private set; }

    public List<Global> Globals { get; } = [];

    public List<ElementSegment> Elements { get; } = [];

    public List<DataSegment> Data { get; } = [];

    public List<FunctionBody> Bodies { get; } = [];

    public int Start { get; set; } = -1;

    /// <summary>The data count section's number; null when the module has none.</summary>
    public int? DataCount { get; set; }

    public SortedSet<int> References { get; } = [];

    public DylinkInfo? Dylink { get; set; }

    public void AddImport(Import import)
    {
        Imports.Add(import);
        switch (import.Kind)
        {
            case ExternalKind.Function:
                FunctionTypes.Add(import.Function!);
                ImportedFunctions++;
                break;
            case ExternalKind.Table:
                TableTypes.Add(import.Table!);
                ImportedTables++;
                break;
            case ExternalKind.Memory:
                MemoryTypes.Add(import.Memory!);
                ImportedMemories++;
                break;
            default:
                GlobalTypes.Add(import.Global!);
                ImportedGlobals++;
                break;
        }
    }

    public void AddExport(ref ByteReader reader, Export export)
    {
        if (!exportNames.Add(export.Name))
            reader.Fail("duplicate export name");
        if (export.Kind == ExternalKind.Function)
            DeclareReference(export.Index);
        Exports.Add(export);
    }

    public void DeclareReference(int function) => References.Add(function);

    public FunctionType TypeAt(ref ByteReader reader, uint index)
    {
        if (index >= (uint)Types.Count)
            reader.Fail("unknown type");
        return Types[(int)index];
    }

    public int ReadFunctionIndex(ref ByteReader reader) => ReadIndex(ref reader, FunctionTypes.Count, "unknown function");

    public int ReadTableIndex(ref ByteReader reader) => ReadIndex(ref reader, TableTypes.Count, "unknown table");

    public int ReadGlobalIndex(ref ByteReader reader) => ReadIndex(ref reader, GlobalTypes.Count, "unknown global");

    public int ReadMemoryIndex(ref ByteReader reader) => ReadIndex(ref reader, MemoryTypes.Count, "unknown memory");

    public void RequireMemory(ref ByteReader reader)
    {
        if (MemoryTypes.Count == 0)
            reader.Fail("unknown memory");
    }

    public static int ReadIndex(ref ByteReader reader, int count, string unknown)
    {
        var index = reader.U32();
        if (index >= (uint)count)
            reader.Fail(unknown);
        return (int)index;
    }

    public static ValueType ReadReferenceType(ref ByteReader reader)
    {
        var type = (ValueType)reader.Byte();
        if (!IsReference(type))
            reader.Fail("malformed reference type");
        return type;
    }

    public static ValueType ReadValueType(ref ByteReader reader)
    {
        var type = (ValueType)reader.Byte();
        if (!IsValueType((byte)type))
            reader.Fail("malformed value type");
        return type;
    }

    public static bool IsReference(ValueType type) => type is ValueType.FuncRef or ValueType.ExternRef;

    public static bool IsValueType(byte code) =>
        (ValueType)code is ValueType.I32 or ValueType.I64 or ValueType.F32 or ValueType.F64 or ValueType.V128 or ValueType.FuncRef or ValueType.ExternRef;
}
