using Functions.PgSidecar.Sandbox.Wasm;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Where the parts of one module's context lie behind <see cref="ModuleContext"/>, in bytes from its beginning. The compiler and the runtime agree on it.</summary>
internal sealed class ModuleLayout
{
    private const int CellBytes = 16;
    private readonly int functionSlots;
    private readonly int tables;
    private readonly int globalSlots;
    private readonly int globals;
    private readonly int elementFlags;
    private readonly int dataFlags;
    private readonly int importedGlobals;

    public ModuleLayout(WasmModule module)
    {
        importedGlobals = module.ImportedGlobals;
        var next = ModuleContext.Size;
        functionSlots = Take(ref next, module.ImportedFunctions, CellBytes);
        tables = Take(ref next, Math.Max(module.TableTypes.Length - 1, 0), CellBytes);
        globals = Take(ref next, module.Globals.Length, CellBytes);
        globalSlots = Take(ref next, module.ImportedGlobals, sizeof(long));
        elementFlags = Take(ref next, module.Elements.Length, sizeof(int));
        dataFlags = Take(ref next, module.Data.Length, sizeof(int));
        Size = (next + 63) & ~63;
    }

    /// <summary>The whole context's size.</summary>
    public int Size { get; }

    /// <summary>An imported function: its code's address, then its context's distance from this one.</summary>
    public int FunctionSlot(int import) => functionSlots + import * CellBytes;

    /// <summary>A table's address, its length 8 bytes further. The first one is at hand in the fixed part.</summary>
    public int Table(int table) => table == 0 ? ModuleContext.TableOffset : tables + (table - 1) * CellBytes;

    /// <summary>The distance of an imported global's cell from this context.</summary>
    public int GlobalSlot(int import) => globalSlots + import * sizeof(long);

    /// <summary>The cell of a global the module defines; <paramref name="global"/> counts the imported ones.</summary>
    public int Global(int global) => globals + (global - importedGlobals) * CellBytes;

    /// <summary>Not 0 once the element segment is dropped.</summary>
    public int ElementDropped(int segment) => elementFlags + segment * sizeof(int);

    /// <summary>Not 0 once the data segment is dropped.</summary>
    public int DataDropped(int segment) => dataFlags + segment * sizeof(int);

    private static int Take(ref int next, int count, int bytes)
    {
        var start = next;
        next += count * bytes;
        return start;
    }
}
