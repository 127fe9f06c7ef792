using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using System.Text;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// An instance of a module in its own store. One thread at a time uses it, with <see cref="Threads.SandboxThread.StackBytes"/> of stack;
/// only <see cref="Interrupt"/> may be called from another thread. It serves one run. Only its memories are reused.
/// </summary>
internal sealed unsafe class Instance : IDisposable
{
    private const long TableElements = 200_000;
    private const int Tables = 16;
    private const int Memories = 16;

    [ThreadStatic]
    private static Instance? current;

    private readonly Module module;
    private readonly IReadOnlyList<MemorySlots> images;
    private readonly long memoryLimit;
    private readonly int[] order;
    private readonly MemorySlot?[] memories;
    private readonly List<MemorySlot> heaps = [];
    private readonly Lock gate = new();
    private Thread user = Thread.CurrentThread;
    private MemorySlot? word;
    private readonly nint store;
    private readonly nint context;
    private InstanceHandle instance;
    private int memoryIndex = -1;
    private int asked;
    private volatile int interruptReason;
    private bool wasStopped;
    private bool isDisposed;

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
    {
        this.module = module;
        this.images = images;
        this.memoryLimit = memoryLimit;
        this.order = order;
        memories = new MemorySlot?[images.Count];
        var isHeld = false;
        module.DangerousAddRef(ref isHeld);
        store = Native.wasmtime_store_new(module.Engine.Handle, 0, 0);
        context = Native.wasmtime_store_context(store);
        try
        {
            // AddMemory and TryGrow enforce the limit of memory.
            Native.wasmtime_store_limiter(store, -1, TableElements, 1, Tables, Memories);
            Native.wasmtime_store_epoch_deadline_callback(store, &EpochEnded, 0, 0);
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

    /// <summary>The instance that is created or runs on this thread.</summary>
    internal static Instance? Current => current;

    /// <summary>State of the host for its host functions.</summary>
    public object? HostState { get; set; }

    /// <summary>The exception of a host function, while the guest is unwound.</summary>
    internal Exception? Thrown { get; set; }

    /// <summary>Whether the guest was refused memory beyond its limit.</summary>
    public bool MemoryLimitReached { get; private set; }

    /// <summary>
    /// Its part of the memory budget of all instances, which it asks before its memory grows; <see langword="null"/> for no budget.
    /// </summary>
    public MemoryShare? Share { get; set; }

    /// <summary>The current size of the exported memory in bytes, 0 if the module exports none. It only grows.</summary>
    public long MemoryLength => memoryIndex < 0 ? 0 : memories[memoryIndex]!.Size;

    /// <summary>The size of all its memories in bytes. They only grow.</summary>
    public long MemoryPeakBytes
    {
        get
        {
            var bytes = 0L;
            foreach (var memory in memories)
                bytes += memory?.Size ?? 0;
            foreach (var heap in heaps)
                bytes += heap.Size;
            return bytes;
        }
    }

    /// <summary>The reason of the interrupt that is pending or has stopped the guest; 0 for none.</summary>
    public int InterruptReason => interruptReason;

    /// <summary>A memory of the module.</summary>
    public MemorySlot Memory(int index) => memories[index]!;

    /// <summary>Whether its code counts executed instructions.</summary>
    public bool CountsFuel => module.Engine.CountsFuel;

    /// <summary>The number of instructions that it may still execute, if its engine counts them; 0 until it is set.</summary>
    public long Fuel
    {
        get => Native.wasmtime_context_get_fuel(context, out var fuel) == 0 ? (long)fuel : 0;
        set => Check(Native.wasmtime_context_set_fuel(context, (ulong)value));
    }

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

    /// <summary>
    /// Stops the guest with <see cref="TrapKind.Interrupted"/> at the head of its next function or loop. Safe from any thread, at any time.
    /// The first reason is kept.
    /// </summary>
    /// <param name="reason">A code of the host for the reason; not 0.</param>
    public void Interrupt(int reason)
    {
        ArgumentOutOfRangeException.ThrowIfZero(reason);
        lock (gate)
        {
            if (isDisposed)
                return;
            if (interruptReason == 0)
                interruptReason = reason;
            if (word is not null)
                InterruptWord.Set(word);
        }
        if (word is null)
            module.Engine.IncrementEpoch();
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
        // Set the deadline before checking the mark, because Interrupt marks the instance before it ends the epoch.
        if (word is null)
            Native.wasmtime_context_set_epoch_deadline(context, 1);
        if (interruptReason is not 0 and var reason)
            throw new WasmTrapException(TrapKind.Interrupted, interruptReason: reason);
        var outer = current;
        current = this;
        nint error;
        nint trap;
        fixed (RawValue* cells = values)
            error = Native.wasmtime_func_call_unchecked(context, function, cells, (nuint)values.Length, out trap);
        current = outer;
        if ((error | trap) != 0)
            Throw(error, trap);
    }

    /// <summary>Reads the bits of a global that is no reference.</summary>
    public (ValueKind Kind, ulong Low, ulong High) GetGlobal(string export)
    {
        Native.wasmtime_global_get(context, Find(export, ExternKind.Global).Global, out var value);
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
        Check(Native.wasmtime_global_set(context, Find(export, ExternKind.Global).Global, value));
    }

    /// <summary>Reads the functions in a table, as numbers that identify them within this instance.</summary>
    public nint[] ReadFunctionTable(string export)
    {
        var table = Find(export, ExternKind.Table).Object;
        var functions = new nint[Native.wasmtime_table_size(context, table)];
        for (var index = 0; index < functions.Length; index++)
        {
            if (
                Native.wasmtime_table_get(context, table, (ulong)index, out var value)
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
        var order = new int[probe.heaps.Count];
        Array.Fill(order, -1);
        for (var memory = 0; probe.TryFind(ModuleRewriter.MemoryExport(memory), ExternKind.Memory, out var export); memory++)
        {
            var address = Native.wasmtime_memory_data(probe.context, export.Object);
            order[probe.heaps.FindIndex(heap => heap.Address == address)] = memory;
        }
        return order;
    }

    /// <summary>Creates a memory of the instance, at Wasmtime's request.</summary>
    internal MemorySlot AddMemory(long minimum, long capacity)
    {
        var index = asked < order.Length ? order[asked] : -1;
        asked++;
        // The memory after those with an image is the JavaScript engine's interrupt word, which does not count.
        var length =
            index >= images.Count ? 0
            : index >= 0 ? images[index].Image.ByteLength
            : minimum;
        var total = MemoryPeakBytes + length;
        if (total > memoryLimit)
        {
            MemoryLimitReached = true;
            var (needed, allowed) = (total / LinearMemory.PageBytes, memoryLimit / LinearMemory.PageBytes);
            throw new MemoryLimitException($"The module needs {needed} pages of memory; the limit is {allowed}.");
        }
        if (index >= images.Count && module.Engine.Kind == EngineKind.JavaScript)
            return word = InterruptWord.Take();
        if (index >= 0)
            return memories[index] = images[index].Take(capacity);
        var heap = MemorySlot.Reserve(capacity);
        heaps.Add(heap);
        return heap.TryGrow(minimum) ? heap : throw new WasmLinkException("The system has no memory left.");
    }

    /// <summary>Grows a memory, within the limit of all together.</summary>
    internal bool TryGrow(MemorySlot slot, long size)
    {
        if (MemoryPeakBytes - slot.Size + size <= memoryLimit && Share?.TryGrow(size - slot.Size) != false && slot.TryGrow(size))
            return true;
        MemoryLimitReached = true;
        return false;
    }

    /// <summary>Frees the store and returns the memories. The instance must not be running.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (isDisposed)
                return;
            isDisposed = true;
        }
        Native.wasmtime_store_delete(store);
        if (word is not null)
            InterruptWord.Return(word);
        for (var index = 0; index < memories.Length; index++)
        {
            if (memories[index] is { } memory)
                images[index].Return(memory);
        }
        foreach (var heap in heaps)
            heap.Free();
        module.DangerousRelease();
    }

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
        Native.wasmtime_context_set_epoch_deadline(context, ulong.MaxValue >> 1);
        var outer = current;
        current = this;
        var error = Native.wasmtime_instance_pre_instantiate(module.Prepared, context, out instance, out var trap);
        current = outer;
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
            return Native.wasmtime_instance_export_get(context, instance, bytes, (nuint)name.Length, out found) && found.Kind == kind;
    }

    /// <summary>Called for every running guest when an epoch ends.</summary>
    /// <returns>An error that ends the guest, or 0.</returns>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint EpochEnded(nint context, nint data, ulong* ticks, byte* kind)
    {
        *ticks = 1;
        *kind = 0;
        if (current is not { } instance || instance.interruptReason == 0)
            return 0;
        instance.wasStopped = true;
        return Native.wasmtime_error_new("interrupted");
    }

    private void Throw(nint error, nint trap)
    {
        var hasCode = false;
        var code = default(TrapCode);
        if (trap != 0)
            hasCode = Native.wasmtime_trap_code(trap, out code);
        var message = trap != 0 ? Native.TakeTrap(trap) : Native.TakeError(error);
        if (Thrown is { } thrown)
        {
            Thrown = null;
            ExceptionDispatchInfo.Throw(thrown);
        }
        // The JavaScript engine's check for interrupts traps by `unreachable`.
        wasStopped |= word is not null && interruptReason != 0 && hasCode && code == TrapCode.UnreachableCodeReached;
        throw wasStopped ? new WasmTrapException(TrapKind.Interrupted, interruptReason: interruptReason)
        : hasCode && KindOf(code) is { } kind ? new WasmTrapException(kind)
        : new WasmTrapException(TrapKind.Other, LastLine(message));
    }

    private static TrapKind? KindOf(TrapCode code) =>
        code switch
        {
            TrapCode.StackOverflow => TrapKind.StackOverflow,
            TrapCode.MemoryOutOfBounds => TrapKind.OutOfBoundsMemory,
            TrapCode.TableOutOfBounds => TrapKind.OutOfBoundsTable,
            TrapCode.IndirectCallToNull => TrapKind.UninitializedElement,
            TrapCode.BadSignature => TrapKind.IndirectCallTypeMismatch,
            TrapCode.IntegerOverflow => TrapKind.IntegerOverflow,
            TrapCode.IntegerDivisionByZero => TrapKind.IntegerDivideByZero,
            TrapCode.BadConversionToInteger => TrapKind.InvalidConversion,
            TrapCode.UnreachableCodeReached => TrapKind.Unreachable,
            TrapCode.OutOfFuel => TrapKind.OutOfFuel,
            _ => null,
        };

    /// <summary>Returns the reason of a trap: Wasmtime writes the guest's stack first and the reason last.</summary>
    private static string LastLine(string message)
    {
        var line = message.TrimEnd();
        line = line[(line.LastIndexOf('\n') + 1)..].Trim();
        return line.StartsWith("wasm trap: ", StringComparison.Ordinal) ? line["wasm trap: ".Length..] : line;
    }

    private static void Check(nint error)
    {
        if (error != 0)
            throw new InvalidOperationException(Native.TakeError(error));
    }
}

/// <summary>An instance can't start: it begins with more memory than its limit.</summary>
internal sealed class MemoryLimitException(string message) : Exception(message);
