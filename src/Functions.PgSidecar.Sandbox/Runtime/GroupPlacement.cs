using Functions.PgSidecar.Sandbox.Wasm;
using ValueType = Functions.PgSidecar.Sandbox.Wasm.ValueType;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// Where everything of a group lies in its mapping. Grows while modules are linked; from the first snapshot on it is shared by all instances of that
/// snapshot and never changes. Holds offsets only, so that it is true for every copy.
/// </summary>
internal sealed class GroupPlacement(HostFunctions host, int headerBytes)
{
    private int nextContext = GroupHeader.Size;
    private int nextTable = headerBytes;

    public HostFunctions Host { get; } = host;

    /// <summary>The size of everything before linear memory; a multiple of the system's page.</summary>
    public int HeaderBytes { get; } = headerBytes;

    public List<ModulePlacement> Modules { get; } = [];

    public List<TablePlacement> Tables { get; } = [];

    public List<MemoryPlacement> Memories { get; } = [];

    /// <summary>Set by the first snapshot: no more modules may be linked.</summary>
    public bool IsFrozen { get; set; }

    /// <summary>
    /// The <see cref="HeaderBytes"/> of a group of modules. The context of the first one lies at its beginning, so that its code knows the distance to linear
    /// memory.
    /// </summary>
    public static int HeaderBytesOf(IEnumerable<WasmModule> modules)
    {
        var bytes = GroupHeader.Size + modules.Sum(GroupLinker.HeaderBytes);
        return checked((int)((bytes + NativeMethods.PageBytes - 1) & -NativeMethods.PageBytes));
    }

    /// <summary>Takes room for a context or a cell from the beginning of the header: what is written at each start lies close together.</summary>
    public int TakeContext(int bytes)
    {
        var offset = nextContext;
        nextContext += (bytes + 15) & ~15;
        CheckRoom();
        return offset;
    }

    /// <summary>Takes room for a table from the end of the header.</summary>
    public int TakeTable(int capacity)
    {
        nextTable -= capacity * FunctionReference.Size;
        CheckRoom();
        return nextTable;
    }

    private void CheckRoom()
    {
        if (IsFrozen)
            throw new WasmLinkException("The group is frozen by a snapshot.");
        if (nextContext > nextTable)
            throw new WasmLinkException("The instance's header is too small for the modules linked into it.");
    }
}

/// <summary>A module in a group: where its context is, and what its table, memory and imports turned out to be.</summary>
internal sealed class ModulePlacement(CompiledModule module, int ordinal, int contextOffset)
{
    public CompiledModule Module { get; } = module;

    public int Ordinal { get; } = ordinal;

    public int ContextOffset { get; } = contextOffset;

    /// <summary>The module's index space of tables.</summary>
    public List<TablePlacement> Tables { get; } = [];

    /// <summary>The module's memory, if it has one.</summary>
    public MemoryPlacement? Memory { get; set; }

    /// <summary>What its function imports were bound to, for exporting them again.</summary>
    public List<ExternalFunction> ImportedFunctions { get; } = [];

    /// <summary>The cells of its global imports, as offsets in the mapping.</summary>
    public List<int> ImportedGlobals { get; } = [];

    public int GlobalOffset(int global) =>
        global < ImportedGlobals.Count ? ImportedGlobals[global] : ContextOffset + Module.Layout.Global(global);
}

/// <summary>A table: its room in the header, and which contexts hold a copy of its address and length.</summary>
internal sealed class TablePlacement(ValueType element, int offset, int capacity, uint? maximum)
{
    public ValueType Element { get; } = element;

    public int Offset { get; } = offset;

    /// <summary>Elements it can grow to.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>The maximum of its type, which may be more than its capacity.</summary>
    public uint? Maximum { get; } = maximum;

    /// <summary>Offsets, in the mapping, of the address and length pairs.</summary>
    public List<int> Sharers { get; } = [];
}

/// <summary>A memory, and which contexts hold a copy of its address and limits. The first of a group lies behind the header.</summary>
internal sealed class MemoryPlacement(int index, uint? maximum)
{
    public int Index { get; } = index;

    public uint? Maximum { get; } = maximum;

    /// <summary>Offsets of the contexts.</summary>
    public List<int> Sharers { get; } = [];
}

/// <summary>A function as something to import: its code and the context it wants; a host function takes the importer's.</summary>
internal readonly record struct ExternalFunction(FunctionType Type, nint Code, int? ContextOffset);
