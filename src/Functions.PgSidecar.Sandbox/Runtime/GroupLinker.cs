using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>What a module's imports are bound to. Each member answers null when it has nothing of that name.</summary>
internal interface IImportResolver
{
    ExternalFunction? Function(string module, string name, FunctionType type);

    TablePlacement? Table(string module, string name);

    MemoryPlacement? Memory(string module, string name);

    /// <summary>The type and the cell of a global, as an offset in the mapping.</summary>
    (GlobalType Type, int Offset)? Global(string module, string name, GlobalType type);
}

/// <summary>Instantiates modules into an instance's mapping (section 4.5.4).</summary>
internal sealed unsafe class GroupLinker(WasmInstance instance)
{
    /// <summary>Elements that a table without a maximum may grow to, beyond what it starts with: 1 MiB of address space.</summary>
    public const int TableGrowth = 65_536;

    private GroupPlacement Placement => instance.Placement;

    /// <summary>The room a module takes in the header, as long as its imports share what others define.</summary>
    public static long HeaderBytes(WasmModule module)
    {
        var bytes = new ModuleLayout(module).Size + module.ImportedGlobals * 16L + 64;
        for (var table = module.ImportedTables; table < module.TableTypes.Length; table++)
            bytes += (long)CapacityOf(module.TableTypes[table]) * FunctionReference.Size;
        return bytes;
    }

    /// <summary>Instantiates a module: binds its imports, makes what it defines, and copies its active segments. Does not run its start function.</summary>
    public ModulePlacement Instantiate(CompiledModule module, IImportResolver resolver)
    {
        var placed = new ModulePlacement(module, Placement.Modules.Count, Placement.TakeContext(module.Layout.Size));
        instance.AddModule(placed);
        BindImports(placed, resolver);
        var definition = module.Definition;
        for (var table = definition.ImportedTables; table < definition.TableTypes.Length; table++)
            instance.AddTable(placed, definition.TableTypes[table], CapacityOf(definition.TableTypes[table]));
        if (definition.MemoryTypes.Length > definition.ImportedMemories)
            instance.AddMemory(placed, definition.MemoryTypes[^1]);
        for (var global = 0; global < definition.Globals.Length; global++)
        {
            var cell = instance.Mapping + placed.GlobalOffset(definition.ImportedGlobals + global);
            instance.Evaluate(placed, definition.Globals[global].Initial, cell);
        }

        return placed;
    }

    /// <summary>Copies the active segments; whatever was copied before one that does not fit stays.</summary>
    public void CopySegments(ModulePlacement placed)
    {
        var context = (nint)instance.ContextAt(placed);
        var definition = placed.Module.Definition;
        for (var index = 0; index < definition.Elements.Length; index++)
        {
            var segment = definition.Elements[index];
            if (segment.Mode == SegmentMode.Active)
            {
                var offset = instance.EvaluateOffset(placed, segment.Offset!);
                CompiledCode.TableInit((int)offset, 0, segment.Elements.Length, index, segment.Table, context);
            }

            if (segment.Mode != SegmentMode.Passive)
                *(int*)(context + placed.Module.Layout.ElementDropped(index)) = 1;
        }

        for (var index = 0; index < definition.Data.Length; index++)
        {
            var segment = definition.Data[index];
            if (segment.Mode != SegmentMode.Active)
                continue;
            var offset = instance.EvaluateOffset(placed, segment.Offset!);
            CompiledCode.MemoryInit((int)offset, 0, segment.Bytes.Length, index, context);
            *(int*)(context + placed.Module.Layout.DataDropped(index)) = 1;
        }
    }

    /// <summary>Runs the module's start function, if it has one.</summary>
    public void RunStart(ModulePlacement placed)
    {
        if (placed.Module.Definition.Start < 0)
            return;
        var start = WasmInstance.EntryOf(placed, placed.Module.Definition.Start);
        ((delegate*<nint, void>)start.Code)((nint)instance.Mapping + start.ContextOffset!.Value);
    }

    private static int CapacityOf(TableType type)
    {
        var capacity = Math.Min(type.Maximum ?? uint.MaxValue, Math.Max(type.Minimum, TableGrowth));
        return (int)Math.Min(capacity, WasmLimits.TableElements);
    }

    private void BindImports(ModulePlacement placed, IImportResolver resolver)
    {
        foreach (var import in placed.Module.Definition.Imports)
        {
            switch (import.Kind)
            {
                case ExternalKind.Function: BindFunction(placed, import, resolver); break;
                case ExternalKind.Table: BindTable(placed, import, resolver); break;
                case ExternalKind.Memory: BindMemory(placed, import, resolver); break;
                default: BindGlobal(placed, import, resolver); break;
            }
        }
    }

    private void BindFunction(ModulePlacement placed, Import import, IImportResolver resolver)
    {
        var function = resolver.Function(import.Module, import.Name, import.Function!) ?? throw Missing(import);
        if (!function.Type.Equals(import.Function))
            throw Incompatible(import, function.Type, import.Function!);
        var slot = (byte*)instance.ContextAt(placed) + placed.Module.Layout.FunctionSlot(placed.ImportedFunctions.Count);
        *(nint*)slot = function.Code;
        *(long*)(slot + sizeof(long)) = (function.ContextOffset ?? placed.ContextOffset) - placed.ContextOffset;
        placed.ImportedFunctions.Add(function);
    }

    private void BindTable(ModulePlacement placed, Import import, IImportResolver resolver)
    {
        var table = resolver.Table(import.Module, import.Name) ?? throw Missing(import);
        var wanted = import.Table!;
        var length = instance.LengthOf(table);
        if (table.Element != wanted.Element || !Fits(length, table.Maximum, wanted.Minimum, wanted.Maximum))
            throw Incompatible(import, table.Element, wanted);
        instance.ShareTable(table, placed, length);
    }

    private void BindMemory(ModulePlacement placed, Import import, IImportResolver resolver)
    {
        var memory = resolver.Memory(import.Module, import.Name) ?? throw Missing(import);
        var wanted = import.Memory!;
        if (!Fits((uint)instance.PagesOf(memory), memory.Maximum, wanted.Minimum, wanted.Maximum))
            throw Incompatible(import, instance.PagesOf(memory), wanted);
        instance.ShareMemory(memory, placed);
    }

    private void BindGlobal(ModulePlacement placed, Import import, IImportResolver resolver)
    {
        var global = resolver.Global(import.Module, import.Name, import.Global!) ?? throw Missing(import);
        if (global.Type != import.Global)
            throw Incompatible(import, global.Type, import.Global!);
        var slot = (byte*)instance.ContextAt(placed) + placed.Module.Layout.GlobalSlot(placed.ImportedGlobals.Count);
        *(long*)slot = global.Offset - placed.ContextOffset;
        placed.ImportedGlobals.Add(global.Offset);
    }

    private static bool Fits(uint size, uint? maximum, uint wantedMinimum, uint? wantedMaximum) =>
        size >= wantedMinimum && (wantedMaximum is null || maximum <= wantedMaximum);

    private static WasmLinkException Missing(Import import) =>
        new($"unknown import: nothing provides the {import.Kind} {import.Module}.{import.Name}");

    private static WasmLinkException Incompatible(Import import, object found, object wanted) =>
        new($"incompatible import type: {import.Module}.{import.Name} is {found}, the module wants {wanted}");
}
