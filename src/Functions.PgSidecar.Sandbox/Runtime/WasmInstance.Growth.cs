using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Memories and tables: how they begin and grow, and how every context that shares one learns of it.</summary>
public sealed unsafe partial class WasmInstance
{
    internal byte* BaseOf(MemoryPlacement memory) =>
        memory.Index == 0 ? mapping + placement.HeaderBytes : (byte*)otherMemories[memory.Index - 1].Base;

    internal int PagesOf(MemoryPlacement memory) => ((ModuleContext*)(mapping + memory.Sharers[0]))->MemoryPages;

    internal uint LengthOf(TablePlacement table) => *(uint*)(mapping + table.Sharers[0] + sizeof(long));

    /// <summary>Makes a memory of its minimum size for a module that defines one.</summary>
    internal MemoryPlacement AddMemory(ModulePlacement module, MemoryType type)
    {
        if (type.Minimum > (uint)memoryLimitPages)
            throw new WasmLinkException($"The module needs {type.Minimum} pages of memory; the limit is {memoryLimitPages}.");
        var memory = new MemoryPlacement(placement.Memories.Count, type.Maximum);
        if (memory.Index > 0)
        {
            var bytes = Math.Max((long)memoryLimitPages, 1) * LinearMemory.PageBytes;
            otherMemories.Add(((nint)LinearMemory.Reserve(bytes, isGuarded), bytes));
        }

        placement.Memories.Add(memory);
        if (!LinearMemory.TryCommit(BaseOf(memory), (long)type.Minimum * LinearMemory.PageBytes))
            throw new WasmLinkException("The system has no memory left.");
        ShareMemory(memory, module);
        ContextAt(module)->SetMemory(BaseOf(memory), (int)type.Minimum);
        return memory;
    }

    internal void ShareMemory(MemoryPlacement memory, ModulePlacement module)
    {
        if (memory.Sharers.Count > 0)
            ContextAt(module)->SetMemory(BaseOf(memory), PagesOf(memory));
        memory.Sharers.Add(module.ContextOffset);
        module.Memory = memory;
    }

    /// <summary>Answers <c>memory.grow</c>: the old size in pages, or -1.</summary>
    internal int GrowMemory(int ordinal, uint pages)
    {
        var memory = placement.Modules[ordinal].Memory!;
        var before = PagesOf(memory);
        var after = before + (long)pages;
        if (after > Math.Min(memory.Maximum ?? WasmLimits.MemoryPages, WasmLimits.MemoryPages))
            return -1;
        if (after > memoryLimitPages)
        {
            MemoryLimitReached = true;
            return -1;
        }

        if (Memory?.TryGrow((long)pages * LinearMemory.PageBytes) == false
            || !LinearMemory.TryCommit(BaseOf(memory) + (long)before * LinearMemory.PageBytes, (long)pages * LinearMemory.PageBytes))
        {
            MemoryLimitReached = true;
            return -1;
        }

        foreach (var sharer in memory.Sharers)
            ((ModuleContext*)(mapping + sharer))->SetMemory(BaseOf(memory), (int)after);
        return before;
    }

    /// <summary>Makes a table of its minimum size for a module that defines one.</summary>
    internal TablePlacement AddTable(ModulePlacement module, TableType type, int capacity)
    {
        var offset = placement.TakeTable(capacity);
        var table = new TablePlacement(type.Element, offset, capacity, type.Maximum);
        placement.Tables.Add(table);
        ShareTable(table, module, type.Minimum);
        return table;
    }

    internal void ShareTable(TablePlacement table, ModulePlacement module, uint length)
    {
        var sharer = module.ContextOffset + module.Module.Layout.Table(module.Tables.Count);
        table.Sharers.Add(sharer);
        module.Tables.Add(table);
        *(byte**)(mapping + sharer) = mapping + table.Offset;
        *(uint*)(mapping + sharer + sizeof(long)) = length;
    }

    internal FunctionReference* ElementsOf(TablePlacement table) => (FunctionReference*)(mapping + table.Offset);

    internal int GrowTable(int ordinal, int table, uint count, FunctionReference value) => GrowTable(placement.Modules[ordinal].Tables[table], count, value);

    /// <summary>Answers <c>table.grow</c>: the old length, or -1.</summary>
    internal int GrowTable(TablePlacement table, uint count, FunctionReference value)
    {
        var before = LengthOf(table);
        var after = before + (ulong)count;
        if (after > (ulong)table.Capacity || after > (table.Maximum ?? uint.MaxValue))
            return -1;
        new Span<FunctionReference>(ElementsOf(table) + before, (int)count).Fill(value);
        foreach (var sharer in table.Sharers)
            *(uint*)(mapping + sharer + sizeof(long)) = (uint)after;
        return (int)before;
    }
}
