using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>The bits of a global.</summary>
internal readonly record struct GlobalValue(ValueKind Kind, ulong Low, ulong High);

/// <summary>
/// The state that every invocation of a module begins with: the contents of its memories and the values of its globals after its start. If
/// the state of a module can't be stored, it is the state before the start, and each invocation starts the module.
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

    /// <summary>The values of the plan's globals, in their order; empty if the module has not been started.</summary>
    public GlobalValue[] Globals { get; }

    /// <summary>Whether each invocation starts the module.</summary>
    public bool StartsEachTime { get; }

    /// <summary>The size of its memories, in bytes.</summary>
    public long ByteLength => Memories.Sum(static memory => memory.Image.ByteLength);

    /// <summary>The state before the start: the memories hold the module's data segments.</summary>
    /// <exception cref="WasmTrapException">A data segment lies outside of its memory.</exception>
    /// <exception cref="MemoryLimitException">Its memories are larger than the limit.</exception>
    public static ModuleState Initial(CompilationResult module, long memoryLimit, bool startsEachTime)
    {
        var bytes = module.Plan.MemoryBytes.Sum();
        if (bytes > memoryLimit)
        {
            var (needed, allowed) = (bytes / LinearMemory.PageBytes, memoryLimit / LinearMemory.PageBytes);
            throw new MemoryLimitException($"The module needs {needed} pages of memory; the limit is {allowed}.");
        }
        return Create(module.Plan.MemoryBytes.Length, [], startsEachTime, Image);

        MemoryImage Image(int memory) => MemoryImage.Create(module.Plan.MemoryBytes[memory], pages =>
            {
                foreach (var segment in module.Data.Where(segment => segment.Memory == memory))
                {
                    var length = module.Plan.MemoryBytes[memory];
                    if (segment.Address > (ulong)(length - segment.Bytes.Length) || segment.Bytes.Length > length)
                        throw new WasmTrapException(TrapKind.OutOfBoundsMemory);
                    segment.Bytes.Span.CopyTo(pages.At((long)segment.Address, segment.Bytes.Length));
                }
            });
    }

    /// <summary>The state of an instance that has been started and is not running.</summary>
    public static ModuleState Of(Instance instance, ModulePlan plan)
    {
        GlobalValue[] globals =
        [
            .. plan.Globals.Select(global =>
            {
                var (kind, low, high) = instance.GetGlobal(ModuleRewriter.GlobalExport(global));
                return new GlobalValue(kind, low, high);
            }),
        ];
        return Create(plan.MemoryBytes.Length, globals, startsEachTime: false, memory => MemoryImage.Of(instance.Memory(memory)));
    }

    /// <exception cref="InvalidDataException">The bytes are no state of this plan.</exception>
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
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    public Instance Instantiate(Module module, ModulePlan plan, long memoryLimit)
    {
        var instance = new Instance(module, Memories, memoryLimit);
        try
        {
            if (plan.MainMemory >= 0)
                instance.UseMemory(plan.MainMemory);
            for (var index = 0; index < Globals.Length; index++)
            {
                var (kind, low, high) = Globals[index];
                instance.SetGlobal(ModuleRewriter.GlobalExport(plan.Globals[index]), kind, low, high);
            }
            return instance;
        }
        catch
        {
            instance.Dispose();
            throw;
        }
    }

    /// <summary>Counts idle memory in a budget, and lets the budget free it.</summary>
    public void ShareWith(MemoryBudget all) => Array.ForEach(Memories, memory => memory.ShareWith(all));

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
