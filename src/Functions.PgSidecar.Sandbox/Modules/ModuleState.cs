using Functions.PgSidecar.Sandbox.Runtime;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>The bits of a global.</summary>
internal readonly record struct GlobalValue(ValueKind Kind, ulong Low, ulong High);

/// <summary>
/// The state that every invocation of a module begins with: what its memories hold, and the values of its globals after its start. Of a module whose state
/// can't be written down it is the state before its start, which is then part of each invocation.
/// </summary>
internal sealed class ModuleState : IDisposable
{
    private ModuleState(MemorySlots[] memories, GlobalValue[] globals, bool startsEachTime)
    {
        Memories = memories;
        Globals = globals;
        StartsEachTime = startsEachTime;
    }

    public MemorySlots[] Memories { get; }

    /// <summary>Of the plan's globals, in their order; empty where the module has not been started.</summary>
    public GlobalValue[] Globals { get; }

    /// <summary>Whether each invocation starts the module.</summary>
    public bool StartsEachTime { get; }

    /// <summary>What its memories take, in bytes.</summary>
    public long ByteLength => Memories.Sum(static memory => memory.Image.ByteLength);

    /// <summary>The state in which a module is instantiated: its data in its memories.</summary>
    /// <exception cref="WasmTrapException">A segment lies outside of its memory.</exception>
    /// <exception cref="MemoryLimitException">Its memories are larger than the limit.</exception>
    public static ModuleState Initial(CompilationResult module, long memoryLimit, bool startsEachTime)
    {
        var bytes = module.Plan.MemoryBytes.Sum();
        if (bytes > memoryLimit)
            throw new MemoryLimitException($"The module needs {bytes / LinearMemory.PageBytes} pages of memory; the limit is {memoryLimit / LinearMemory.PageBytes}.");
        return Create(module.Plan.MemoryBytes.Length, [], startsEachTime, memory => MemoryImage.Create(module.Plan.MemoryBytes[memory], pages =>
        {
            foreach (var segment in module.Data.Where(segment => segment.Memory == memory))
            {
                if (segment.Address > (ulong)(module.Plan.MemoryBytes[memory] - segment.Bytes.Length) || segment.Bytes.Length > module.Plan.MemoryBytes[memory])
                    throw new WasmTrapException(TrapKind.OutOfBoundsMemory);
                segment.Bytes.Span.CopyTo(pages.At((long)segment.Address, segment.Bytes.Length));
            }
        }));
    }

    /// <summary>The state of an instance that has been started and does not run.</summary>
    public static ModuleState Of(Instance instance, ModulePlan plan)
    {
        GlobalValue[] globals = [.. plan.Globals.Select(global =>
        {
            var (kind, low, high) = instance.GetGlobal(ModuleRewriter.GlobalExport(global));
            return new GlobalValue(kind, low, high);
        })];
        return Create(plan.MemoryBytes.Length, globals, startsEachTime: false, memory => MemoryImage.Of(instance.Memory(memory)));
    }

    /// <exception cref="InvalidDataException">It is no state of this plan.</exception>
    public static ModuleState Read(BinaryReader reader, ModulePlan plan)
    {
        const long MostBytes = 4L << 30;
        var startsEachTime = reader.ReadBoolean();
        var globals = new GlobalValue[reader.ReadInt32() is 0 ? 0 : plan.Globals.Length];
        for (var index = 0; index < globals.Length; index++)
            globals[index] = new GlobalValue((ValueKind)reader.ReadByte(), reader.ReadUInt64(), reader.ReadUInt64());
        return Create(plan.MemoryBytes.Length, globals, startsEachTime, _ => MemoryImage.Read(reader, MostBytes));
    }

    public void WriteTo(BinaryWriter writer)
    {
        writer.Write(StartsEachTime);
        writer.Write(Globals.Length);
        foreach (var global in Globals)
        {
            writer.Write((byte)global.Kind);
            writer.Write(global.Low);
            writer.Write(global.High);
        }
        foreach (var memory in Memories)
            memory.Image.WriteTo(writer);
    }

    /// <summary>A new instance in this state.</summary>
    /// <exception cref="MemoryLimitException">It begins with more memory than its limit.</exception>
    public Instance Instantiate(Module module, ModulePlan plan, long memoryLimit)
    {
        var instance = new Instance(module, Memories, memoryLimit);
        try
        {
            if (plan.MainMemory >= 0)
                instance.UseMemory(plan.MainMemory);
            for (var index = 0; index < Globals.Length; index++)
                instance.SetGlobal(ModuleRewriter.GlobalExport(plan.Globals[index]), Globals[index].Kind, Globals[index].Low, Globals[index].High);
            return instance;
        }
        catch
        {
            instance.Dispose();
            throw;
        }
    }

    /// <summary>Gives back idle memory.</summary>
    public void Trim() => Array.ForEach(Memories, static memory => memory.Trim());

    public void Dispose() => Array.ForEach(Memories, static memory => memory.Dispose());

    private static ModuleState Create(int memories, GlobalValue[] globals, bool startsEachTime, Func<int, MemoryImage> image)
    {
        var made = new List<MemorySlots>();
        try
        {
            for (var memory = 0; memory < memories; memory++)
                made.Add(new MemorySlots(image(memory)));
            return new ModuleState([.. made], globals, startsEachTime);
        }
        catch
        {
            made.ForEach(static memory => memory.Dispose());
            throw;
        }
    }
}
