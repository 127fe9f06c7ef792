namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Memory and table instructions that are calls.</summary>
public static unsafe partial class CompiledCode
{
    /// <summary>How much a bulk operation does between two looks at the interrupt word.</summary>
    private const uint ChunkBytes = 1 << 20;

    public static int MemoryGrow(int pages, nint context)
    {
        var module = (ModuleContext*)context;
        return WasmInstance.FromContext(context).GrowMemory(module->Ordinal, (uint)pages);
    }

    public static void MemoryFill(int address, int value, int length, nint context)
    {
        var to = Range(context, (uint)address, (uint)length);
        for (var left = (uint)length; left > 0;)
        {
            var chunk = Math.Min(left, ChunkBytes);
            new Span<byte>(to, (int)chunk).Fill((byte)value);
            to += chunk;
            left -= chunk;
            CheckInterrupt(context);
        }
    }

    public static void MemoryCopy(int destination, int source, int length, nint context)
    {
        var to = Range(context, (uint)destination, (uint)length);
        var from = Range(context, (uint)source, (uint)length);
        // Overlapping ranges must be copied from the end that is not overwritten first; within a chunk the library sees to it.
        var backwards = to > from;
        for (var left = (uint)length; left > 0;)
        {
            var chunk = Math.Min(left, ChunkBytes);
            left -= chunk;
            var at = backwards ? left : (uint)length - left - chunk;
            Buffer.MemoryCopy(from + at, to + at, chunk, chunk);
            CheckInterrupt(context);
        }
    }

    public static void MemoryInit(int destination, int source, int length, int segment, nint context)
    {
        var module = WasmInstance.FromContext(context).ModuleOf(context);
        var isDropped = *(int*)(context + module.Module.Layout.DataDropped(segment)) != 0;
        var bytes = isDropped ? default : module.Module.Definition.Data[segment].Bytes.Span;
        if ((ulong)(uint)source + (uint)length > (ulong)bytes.Length)
            throw TrapOutOfBoundsMemory();
        var to = Range(context, (uint)destination, (uint)length);
        bytes.Slice(source, length).CopyTo(new Span<byte>(to, length));
    }

    public static FunctionReference Reference(int function, nint context) =>
        WasmInstance.FromContext(context).ReferenceTo(((ModuleContext*)context)->Ordinal, function);

    public static FunctionReference TableGet(int index, int table, nint context) => *Element(context, table, (uint)index, 1);

    public static long TableGetHost(int index, int table, nint context) => Element(context, table, (uint)index, 1)->Code;

    public static void TableSet(int index, FunctionReference value, int table, nint context) => *Element(context, table, (uint)index, 1) = value;

    public static void TableSetHost(int index, long value, int table, nint context) => TableSet(index, HostReference(value), table, context);

    public static int TableGrow(FunctionReference value, int count, int table, nint context)
    {
        var module = (ModuleContext*)context;
        return WasmInstance.FromContext(context).GrowTable(module->Ordinal, table, (uint)count, value);
    }

    public static int TableGrowHost(long value, int count, int table, nint context) => TableGrow(HostReference(value), count, table, context);

    public static void TableFill(int index, FunctionReference value, int count, int table, nint context) =>
        new Span<FunctionReference>(Element(context, table, (uint)index, (uint)count), count).Fill(value);

    public static void TableFillHost(int index, long value, int count, int table, nint context) =>
        TableFill(index, HostReference(value), count, table, context);

    public static void TableCopy(int destination, int source, int count, int destinationTable, int sourceTable, nint context)
    {
        var to = Element(context, destinationTable, (uint)destination, (uint)count);
        var from = Element(context, sourceTable, (uint)source, (uint)count);
        new Span<FunctionReference>(from, count).CopyTo(new Span<FunctionReference>(to, count));
    }

    public static void TableInit(int destination, int source, int count, int segment, int table, nint context)
    {
        var instance = WasmInstance.FromContext(context);
        var module = instance.ModuleOf(context);
        var isDropped = *(int*)(context + module.Module.Layout.ElementDropped(segment)) != 0;
        var length = isDropped ? 0 : module.Module.Definition.Elements[segment].Elements.Length;
        if ((ulong)(uint)source + (uint)count > (ulong)length)
            throw TrapOutOfBoundsTable();
        var to = Element(context, table, (uint)destination, (uint)count);
        var expressions = module.Module.Definition.Elements[segment].Elements;
        for (var index = 0; index < count; index++)
            to[index] = instance.EvaluateReference(module, expressions[source + index]);
    }

    /// <summary>A host's handle as a table element: it takes the place of the code.</summary>
    internal static FunctionReference HostReference(long value) => new() { Code = (nint)value };

    internal static byte* Range(nint context, uint address, uint length)
    {
        var module = (ModuleContext*)context;
        if ((ulong)address + length > (ulong)module->MemoryPages * LinearMemory.PageBytes)
            throw TrapOutOfBoundsMemory();
        return module->MemoryBase + address;
    }

    private static FunctionReference* Element(nint context, int table, uint index, uint count)
    {
        var layout = table == 0 ? ModuleContext.TableOffset : WasmInstance.FromContext(context).ModuleOf(context).Module.Layout.Table(table);
        var address = *(FunctionReference**)(context + layout);
        var length = *(uint*)(context + layout + sizeof(long));
        if ((ulong)index + count > length)
            throw TrapOutOfBoundsTable();
        return address + index;
    }
}
