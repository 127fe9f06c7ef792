using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>The kind of an import or export.</summary>
internal enum EntityKind : byte
{
    Function = 0,
    Table = 1,
    Memory = 2,
    Global = 3,
    Tag = 4,
}

/// <summary>An active data segment: it is copied into a memory when the module is instantiated.</summary>
internal readonly record struct DataSegment(int Memory, ulong Address, ReadOnlyMemory<byte> Bytes);

/// <summary>The parts of a valid module that are needed to compile it, to start it and to keep its state.</summary>
internal sealed class ParsedModule
{
    private const byte FirstTable = 0x40;

    private readonly ReadOnlyMemory<byte> module;
    private readonly List<ulong?> globalValues = [];
    private readonly List<int> functionTypes = [];
    private readonly List<DataSegment> data = [];

    private ParsedModule(ReadOnlyMemory<byte> module) => this.module = module;

    /// <summary>The module's types; <see langword="null"/> for those of other than functions.</summary>
    public IReadOnlyList<FunctionSignature?> Types { get; private set; } = [];

    /// <summary>The imported functions, in their order.</summary>
    public List<(string Module, string Name, FunctionSignature Type)> Imports { get; } = [];

    public Dictionary<string, (EntityKind Kind, int Index)> Exports { get; } = new(StringComparer.Ordinal);

    /// <summary>The initial size of each memory, in pages.</summary>
    public List<ulong> MemoryPages { get; } = [];

    public List<ValueType> Tables { get; } = [];

    public List<(ValueType Type, bool IsMutable)> Globals { get; } = [];

    /// <summary>The function that runs when the module is instantiated.</summary>
    public int? Start { get; private set; }

    /// <summary>The active data segments.</summary>
    public IReadOnlyList<DataSegment> Data => data;

    /// <summary>Whether it has passive segments, which instructions copy and may drop.</summary>
    public bool HasPassiveSegments { get; private set; }

    /// <summary>Whether it is a shared library, which needs a dynamic linker.</summary>
    public bool IsShared { get; private set; }

    /// <summary>The type of a function; <see langword="null"/> if it is no function type.</summary>
    public FunctionSignature? TypeOf(int function) =>
        function < Imports.Count ? Imports[function].Type : Types[functionTypes[function - Imports.Count]];

    /// <exception cref="ModuleException">The module uses something that the sandbox does not offer.</exception>
    public static ParsedModule Read(ReadOnlyMemory<byte> module)
    {
        var parsed = new ParsedModule(module);
        foreach (var section in ModuleSection.All(module.Span))
            parsed.Read(section);
        return parsed;
    }

    private void Read(ModuleSection section)
    {
        var reader = new ModuleReader(module.Span[section.Start..section.End]);
        switch (section.Id)
        {
            case ModuleSection.Custom:
                IsShared |= reader.Name() == "dylink.0";
                break;
            case ModuleSection.Type:
                Types = FunctionSignature.ReadAll(ref reader);
                break;
            case ModuleSection.Import:
                ReadImports(ref reader);
                break;
            case ModuleSection.Function:
                for (var count = reader.Count(); count > 0; count--)
                    functionTypes.Add((int)reader.U32());
                break;
            case ModuleSection.Table:
                ReadTables(ref reader);
                break;
            case ModuleSection.Memory:
                for (var count = reader.Count(); count > 0; count--)
                    MemoryPages.Add(Limits(ref reader));
                break;
            case ModuleSection.Global:
                ReadGlobals(ref reader);
                break;
            case ModuleSection.Export:
                for (var count = reader.Count(); count > 0; count--)
                    Exports[reader.Name()] = ((EntityKind)reader.Byte(), (int)reader.U32());
                break;
            case ModuleSection.StartFunction:
                Start = (int)reader.U32();
                break;
            case ModuleSection.Element:
                HasPassiveSegments |= ElementSegments.HavePassive(ref reader);
                break;
            case ModuleSection.Data:
                ReadData(ref reader, section.Start);
                break;
        }
    }

    private void ReadImports(ref ModuleReader reader)
    {
        for (var count = reader.Count(); count > 0; count--)
        {
            var (from, name) = (reader.Name(), reader.Name());
            var kind = (EntityKind)reader.Byte();
            if (kind != EntityKind.Function)
            {
                var other = kind.ToString().ToLowerInvariant();
                throw new ModuleException($"The module imports the {other} {from}.{name}; only functions can be imported.");
            }
            var type = Types[(int)reader.U32()] ?? throw new ModuleException($"The type of the import {from}.{name} is no function type.");
            Imports.Add((from, name, type));
        }
    }

    private void ReadTables(ref ModuleReader reader)
    {
        for (var count = reader.Count(); count > 0; count--)
        {
            var start = reader;
            var hasInitialValue = reader.Byte() == FirstTable;
            if (hasInitialValue)
                reader.Byte();
            else
                reader = start;
            Tables.Add(ValueType.Read(ref reader));
            Limits(ref reader);
            if (hasInitialValue)
                ConstantExpression.Read(ref reader, globalValues);
        }
    }

    private void ReadGlobals(ref ModuleReader reader)
    {
        for (var count = reader.Count(); count > 0; count--)
        {
            var type = ValueType.Read(ref reader);
            var isMutable = reader.Byte() != 0;
            var value = ConstantExpression.Read(ref reader, globalValues);
            Globals.Add((type, isMutable));
            globalValues.Add(type.Code is ValueType.I32 or ValueType.I64 ? value : null);
        }
    }

    private void ReadData(ref ModuleReader reader, int sectionStart)
    {
        for (var count = reader.Count(); count > 0; count--)
        {
            var flags = reader.U32();
            var isPassive = (flags & 1) != 0;
            var memory = flags == 2 ? (int)reader.U32() : 0;
            var address = isPassive
                ? 0
                : ConstantExpression.Read(ref reader, globalValues)
                    ?? throw new ModuleException("The address of a data segment can't be computed.");
            var length = reader.Count();
            var start = sectionStart + reader.Position;
            reader.Bytes(length);
            if (isPassive)
                HasPassiveSegments = true;
            else
                data.Add(new DataSegment(memory, address, module.Slice(start, length)));
        }
    }

    private static ulong Limits(ref ModuleReader reader)
    {
        var flags = reader.Byte();
        var minimum = reader.U64();
        if ((flags & 1) != 0)
            reader.U64();
        return minimum;
    }
}
