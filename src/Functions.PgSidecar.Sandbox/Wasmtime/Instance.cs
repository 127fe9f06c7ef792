using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Compilation;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>An instance of a module in its own store. Only its memories are reused.</summary>
internal sealed unsafe class Instance : Store
{
    private const int Tables = 16;
    private const int Memories = 16;

    private readonly Module module;
    private readonly IReadOnlyList<MemorySlots> images;
    private readonly int[] order;
    private readonly MemorySlot?[] memories;
    private Thread user = Thread.CurrentThread;
    private MemorySlot? word;
    private InstanceHandle instance;
    private int memoryIndex = -1;
    private int asked;

    /// <summary>Instantiates a module without running any of its functions.</summary>
    /// <param name="module">The module; it stays alive while the instance does.</param>
    /// <param name="images">The initial contents of its memories, in their order.</param>
    /// <param name="memoryLimit">The limit of all its memory together, in bytes.</param>
    /// <exception cref="MemoryLimitException">It begins with more memory than the limit.</exception>
    /// <exception cref="WasmLinkException">It begins with more tables, elements or memories than are allowed.</exception>
    /// <exception cref="WasmTrapException">A segment lies outside of its table.</exception>
    public Instance(Module module, IReadOnlyList<MemorySlots> images, long memoryLimit)
        : this(module, images, memoryLimit, module.MemoryOrder) { }

    private Instance(Module module, IReadOnlyList<MemorySlots> images, long memoryLimit, int[] order)
        : base(module.Engine, memoryLimit, instances: 1, Tables, Memories)
    {
        this.module = module;
        this.images = images;
        this.order = order;
        memories = new MemorySlot?[images.Count];
        var isHeld = false;
        module.DangerousAddRef(ref isHeld);
        try
        {
            if (module.Engine.CountsFuel)
                Fuel = 0;
            Instantiate();
            if (asked < order.Length)
                throw new InvalidOperationException("Wasmtime requested fewer memories than before.");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The current size of the exported memory in bytes, 0 if the module exports none. It only grows.</summary>
    public long MemoryLength => memoryIndex < 0 ? 0 : memories[memoryIndex]!.Size;

    /// <inheritdoc/>
    public override long MemoryPeakBytes
    {
        get
        {
            var bytes = base.MemoryPeakBytes;
            foreach (var memory in memories)
                bytes += memory?.Size ?? 0;
            return bytes;
        }
    }

    /// <inheritdoc/>
    protected override bool UsesEpochs => word is null;

    /// <summary>A memory of the module.</summary>
    public MemorySlot Memory(int index) => memories[index]!;

    /// <summary>Selects the memory for host functions, by its index in the module.</summary>
    public void UseMemory(int index) => memoryIndex = index;

    /// <summary>A view of its memory, valid until the guest runs again.</summary>
    /// <exception cref="WasmTrapException">The view is not wholly inside memory.</exception>
    public Span<byte> Slice(int address, int length)
    {
        if (length < 0 || (ulong)(uint)address + (uint)length > (ulong)MemoryLength)
            throw new WasmTrapException(TrapKind.OutOfBoundsMemory);
        NoteThread();
        return length == 0 ? default : new Span<byte>(memories[memoryIndex]!.Address + (uint)address, length);
    }

    /// <summary>Finds an exported function.</summary>
    /// <exception cref="WasmLinkException">The module has no such export.</exception>
    public FunctionHandle Function(string export) => Find(export, ExternKind.Function).Function;

    /// <summary>Calls a function. The caller guarantees that its type fits.</summary>
    /// <param name="function">The function, of this instance.</param>
    /// <param name="values">Its arguments; its result after the call. At least one.</param>
    /// <exception cref="WasmTrapException">The function trapped.</exception>
    public void Call(in FunctionHandle function, Span<RawValue> values)
    {
        NoteThread();
        BeginEpoch();
        var outer = Enter();
        nint error;
        nint trap;
        fixed (RawValue* cells = values)
            error = Native.wasmtime_func_call_unchecked(Context, function, cells, (nuint)values.Length, out trap);
        Leave(outer);
        if ((error | trap) != 0)
            Throw(error, trap);
    }

    /// <summary>Reads the bits of a global that is no reference.</summary>
    public (ValueKind Kind, ulong Low, ulong High) GetGlobal(string export)
    {
        Native.wasmtime_global_get(Context, Find(export, ExternKind.Global).Global, out var value);
        return (value.Kind, value.Low, value.High);
    }

    /// <summary>Sets a mutable global that is no reference.</summary>
    public void SetGlobal(string export, ValueKind kind, ulong low, ulong high)
    {
        var value = new Value
        {
            Kind = kind,
            Low = low,
            High = high,
        };
        Check(Native.wasmtime_global_set(Context, Find(export, ExternKind.Global).Global, value));
    }

    /// <summary>Reads the functions in a table, as numbers that identify them within this instance.</summary>
    public nint[] ReadFunctionTable(string export)
    {
        var table = Find(export, ExternKind.Table).Object;
        var functions = new nint[Native.wasmtime_table_size(Context, table)];
        for (var index = 0; index < functions.Length; index++)
        {
            if (
                Native.wasmtime_table_get(Context, table, (ulong)index, out var value)
                && value.Kind == ValueKind.FunctionReference
                && value.Function.Store != 0
            )
                functions[index] = value.Function.Function;
        }
        return functions;
    }

    /// <summary>
    /// Finds the order in which Wasmtime requests the memories of a module: at each place the index of a memory, or -1 for the heap of its
    /// garbage collector, which is also a memory. It instantiates the module once and compares the addresses of its memories.
    /// </summary>
    internal static int[] FindMemoryOrder(Module module)
    {
        using var probe = new Instance(module, [], long.MaxValue, []);
        var order = new int[probe.Heaps.Count];
        Array.Fill(order, -1);
        for (var memory = 0; probe.TryFind(ModuleRewriter.MemoryExport(memory), ExternKind.Memory, out var export); memory++)
        {
            var address = Native.wasmtime_memory_data(probe.Context, export.Object);
            order[probe.Heaps.Index().First(heap => heap.Item.Address == address).Index] = memory;
        }
        return order;
    }

    /// <inheritdoc/>
    internal override MemorySlot AddMemory(long minimum, long capacity)
    {
        var index = asked < order.Length ? order[asked] : -1;
        asked++;
        // The memory after those with an image is the JavaScript engine's interrupt word, which does not count.
        CountMemory(
            index >= images.Count ? 0
            : index >= 0 ? images[index].Image.ByteLength
            : minimum
        );
        if (index >= images.Count && module.Engine.Kind == EngineKind.JavaScript)
            return word = InterruptWord.Take();
        return index >= 0 ? memories[index] = images[index].Take(capacity) : AddHeap(minimum, capacity);
    }

    /// <inheritdoc/>
    protected override void SignalInterrupt()
    {
        if (word is not null)
            InterruptWord.Set(word);
    }

    /// <inheritdoc/>
    protected override void ReleaseMemories()
    {
        if (word is not null)
            InterruptWord.Return(word);
        for (var index = 0; index < memories.Length; index++)
        {
            if (memories[index] is { } memory)
                images[index].Return(memory);
        }
    }

    /// <inheritdoc/>
    protected override void ReleaseCode() => module.DangerousRelease();

    /// <summary>Records the thread, because a memory that only one thread has used is restored more cheaply.</summary>
    private void NoteThread()
    {
        if (user == Thread.CurrentThread)
            return;
        user = Thread.CurrentThread;
        foreach (var memory in memories)
            memory?.ChangeThread();
    }

    private void Instantiate()
    {
        // No code runs that could take long: constant expressions have no loops.
        Native.wasmtime_context_set_epoch_deadline(Context, ulong.MaxValue >> 1);
        var outer = Enter();
        var error = Native.wasmtime_instance_pre_instantiate(module.Prepared, Context, out instance, out var trap);
        Leave(outer);
        if (error != 0 && Thrown is null)
            throw new WasmLinkException(Native.TakeError(error));
        if ((error | trap) != 0)
            Throw(error, trap);
    }

    private Extern Find(string export, ExternKind kind) =>
        TryFind(export, kind, out var found) ? found : throw new WasmLinkException($"The module has no export '{export}' of that kind.");

    private bool TryFind(string export, ExternKind kind, out Extern found)
    {
        Span<byte> name = stackalloc byte[Encoding.UTF8.GetMaxByteCount(export.Length)];
        name = name[..Encoding.UTF8.GetBytes(export, name)];
        fixed (byte* bytes = name)
            return Native.wasmtime_instance_export_get(Context, instance, bytes, (nuint)name.Length, out found) && found.Kind == kind;
    }

    private void Throw(nint error, nint trap)
    {
        TrapCode? code = trap != 0 && Native.wasmtime_trap_code(trap, out var known) ? known : null;
        Throw(trap != 0 ? Native.TakeTrap(trap) : Native.TakeError(error), code);
    }
}
