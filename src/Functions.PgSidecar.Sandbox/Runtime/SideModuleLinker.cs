using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// Links a side module against a main module as the WebAssembly tool conventions' "Dynamic Linking" describes: memory from the main module's
/// <c>malloc</c>, room at the end of its function table, functions from its exports, addresses through the global offset table.
/// </summary>
internal sealed unsafe class SideModuleLinker(WasmInstance instance, ModulePlacement main, CompiledModule side) : IImportResolver
{
    private static readonly GlobalType Address = new(Wasm.ValueType.I32, IsMutable: true);

    private readonly GroupPlacement placement = instance.Placement;
    private readonly DylinkInfo needs = side.Definition.Dylink
        ?? throw new WasmLinkException($"The module {side.Name} is no side module: it has no dylink.0 section.");

    /// <summary>Entries of the offset table that the side module itself defines: they can be filled only once it is there.</summary>
    private readonly List<(string Name, int Cell, bool IsFunction)> ownSymbols = [];

    private uint memoryBase;
    private uint tableBase;

    public void Link()
    {
        memoryBase = AllocateMemory();
        tableBase = AllocateTable();
        var linker = new GroupLinker(instance);
        var placed = linker.Instantiate(side, this);
        FillOwnSymbols(placed);
        linker.CopySegments(placed);
        linker.RunStart(placed);
        Run(placed, "__wasm_apply_data_relocs");
        Run(placed, "__wasm_call_ctors");
    }

    public ExternalFunction? Function(string module, string name, FunctionType type)
    {
        if (placement.Host.TryFind(module, name, out var host))
            return new ExternalFunction(host.Type, host.Code, null);
        if (main.Module.ExportedFunction(name) is >= 0 and var exported)
            return WasmInstance.Resolve(main, exported);
        // A symbol both wanted and defined by the side module itself: the linker leaves such pairs, mostly of C++ templates.
        if (side.ExportedFunction(name) is >= 0 and var own && own >= side.Definition.ImportedFunctions)
            return new ExternalFunction(side.Definition.FunctionTypes[own], side.AddressOf(own), null);
        return module == "env" ? new ExternalFunction(type, side.AddressOf(placement.Modules[^1].ImportedFunctions.Count), null) : null;
    }

    public TablePlacement? Table(string module, string name) =>
        main.Module.Definition.Exports.TryGetValue(name, out var export) && export.Kind == ExternalKind.Table ? main.Tables[export.Index] : null;

    public MemoryPlacement? Memory(string module, string name) => main.Memory;

    public (GlobalType Type, int Offset)? Global(string module, string name, GlobalType type) => (module, name) switch
    {
        ("GOT.mem", _) => (Address, OffsetTableEntry(name, AddressOfData(name), isFunction: false)),
        ("GOT.func", _) => (Address, OffsetTableEntry(name, IndexOfFunction(name), isFunction: true)),
        ("env", "__memory_base") => (type, Cell(memoryBase)),
        ("env", "__table_base") => (type, Cell(tableBase)),
        _ => ExportedGlobal(name) ?? (type, Cell(0)),
    };

    private (GlobalType Type, int Offset)? ExportedGlobal(string name)
    {
        if (!main.Module.Definition.Exports.TryGetValue(name, out var export) || export.Kind != ExternalKind.Global)
            return null;
        return (main.Module.Definition.GlobalTypes[export.Index], main.GlobalOffset(export.Index));
    }

    private uint? AddressOfData(string name) =>
        ExportedGlobal(name) is { } global ? *(uint*)(instance.Mapping + global.Offset) : null;

    private uint? IndexOfFunction(string name)
    {
        var function = main.Module.ExportedFunction(name);
        return function < 0 ? null : AppendToTable(WasmInstance.ReferenceTo(main, function));
    }

    private int OffsetTableEntry(string name, uint? value, bool isFunction)
    {
        var cell = Cell(value ?? 0);
        if (value is null)
            ownSymbols.Add((name, cell, isFunction));
        return cell;
    }

    private int Cell(uint value)
    {
        var offset = placement.TakeContext(16);
        *(ulong*)(instance.Mapping + offset) = value;
        return offset;
    }

    private void FillOwnSymbols(ModulePlacement placed)
    {
        foreach (var (name, cell, isFunction) in ownSymbols)
        {
            if (!side.Definition.Exports.TryGetValue(name, out var export))
                continue;
            if (isFunction && export.Kind == ExternalKind.Function)
                *(uint*)(instance.Mapping + cell) = AppendToTable(WasmInstance.ReferenceTo(placed, export.Index));
            else if (!isFunction && export.Kind == ExternalKind.Global)
                *(uint*)(instance.Mapping + cell) = memoryBase + *(uint*)(instance.Mapping + placed.GlobalOffset(export.Index));
        }
    }

    private uint AllocateMemory()
    {
        if (needs.MemorySize == 0)
            return 0;
        var allocate = main.Module.ExportedFunction("malloc");
        if (allocate < 0)
            throw new WasmLinkException("The main module exports no malloc for its side modules.");
        var alignment = 1u << needs.MemoryAlignment;
        // malloc aligns to 16 bytes; beyond that the address is moved up within a larger block.
        var slack = alignment > 16 ? alignment : 0;
        var code = (delegate*<int, nint, int>)main.Module.EntryOf(allocate);
        var address = (uint)code((int)(needs.MemorySize + slack), instance.Context);
        if (address == 0)
            throw new WasmLinkException($"No memory for the side module {side.Name}: {needs.MemorySize} bytes.");
        if (slack != 0)
            address = (address + alignment - 1) & ~(alignment - 1);
        instance.Slice((int)address, (int)needs.MemorySize).Clear();
        return address;
    }

    private uint AllocateTable()
    {
        var table = Table("env", "__indirect_function_table") ?? throw new WasmLinkException("The main module exports no function table.");
        var alignment = (1u << needs.TableAlignment) - 1;
        var length = instance.LengthOf(table);
        var padding = (length + alignment & ~alignment) - length;
        Grow(table, needs.TableSize + padding, default);
        return length + padding;
    }

    private uint AppendToTable(FunctionReference function) => Grow(Table("env", "__indirect_function_table")!, 1, function);

    private uint Grow(TablePlacement table, uint count, FunctionReference value)
    {
        var before = instance.GrowTable(table, count, value);
        if (before < 0)
            throw new WasmLinkException($"The function table has no room for the side module {side.Name}.");
        return (uint)before;
    }

    private void Run(ModulePlacement placed, string export)
    {
        var function = side.ExportedFunction(export);
        if (function >= 0)
            ((delegate*<nint, void>)side.EntryOf(function))((nint)instance.ContextAt(placed));
    }
}
