using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// A Wasmtime store with one guest: its limits, its interruption, the errors that end it. One thread at a time uses it, with
/// <see cref="Threads.SandboxThread.StackBytes"/> of stack; only <see cref="Interrupt"/> may be called from another thread. It serves one
/// run.
/// </summary>
internal abstract unsafe class Store : IDisposable
{
    private const long TableElements = 200_000;

    [ThreadStatic]
    private static Store? current;

    private readonly long memoryLimit;
    private readonly List<MemorySlot> heaps = [];
    private readonly nint store;
    private volatile int interruptReason;
    private bool wasStopped;
    private bool isDisposed;

    /// <param name="engine">The engine of the guest's code.</param>
    /// <param name="memoryLimit">The limit of all its memory together, in bytes.</param>
    /// <param name="instances">The most instances of modules.</param>
    /// <param name="tables">The most tables.</param>
    /// <param name="memories">The most memories.</param>
    protected Store(Engine engine, long memoryLimit, int instances, int tables, int memories)
    {
        Engine = engine;
        this.memoryLimit = memoryLimit;
        store = Native.wasmtime_store_new(engine.Handle, 0, 0);
        Context = Native.wasmtime_store_context(store);
        // CountMemory and TryGrow enforce the limit of memory.
        Native.wasmtime_store_limiter(store, -1, TableElements, instances, tables, memories);
        Native.wasmtime_store_epoch_deadline_callback(store, &EpochEnded, 0, 0);
    }

    /// <summary>The store whose guest is created or runs on this thread.</summary>
    internal static Store? Current => current;

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

    /// <summary>The size of all its memories in bytes. They only grow.</summary>
    public virtual long MemoryPeakBytes
    {
        get
        {
            var bytes = 0L;
            foreach (var heap in heaps)
                bytes += heap.Size;
            return bytes;
        }
    }

    /// <summary>The reason of the interrupt that is pending or has stopped the guest; 0 for none.</summary>
    public int InterruptReason => interruptReason;

    /// <summary>Whether its code counts executed instructions.</summary>
    public bool CountsFuel => Engine.CountsFuel;

    /// <summary>The number of instructions that it may still execute, if its engine counts them; 0 until it is set.</summary>
    public long Fuel
    {
        get => Native.wasmtime_context_get_fuel(Context, out var fuel) == 0 ? (long)fuel : 0;
        set => Check(Native.wasmtime_context_set_fuel(Context, (ulong)value));
    }

    protected Engine Engine { get; }

    /// <summary>The store's context, for native calls.</summary>
    protected nint Context { get; }

    /// <summary>Guards the end of the store against an interrupt.</summary>
    protected Lock Gate { get; } = new();

    /// <summary>Memories that belong to this store alone, such as the heap of the garbage collector.</summary>
    protected IReadOnlyList<MemorySlot> Heaps => heaps;

    /// <summary>Whether the end of an epoch makes the guest check for an interrupt.</summary>
    protected virtual bool UsesEpochs => true;

    /// <summary>
    /// Stops the guest with <see cref="TrapKind.Interrupted"/> at the head of its next function or loop. Safe from any thread, at any time.
    /// The first reason is kept.
    /// </summary>
    /// <param name="reason">A code of the host for the reason; not 0.</param>
    public void Interrupt(int reason)
    {
        ArgumentOutOfRangeException.ThrowIfZero(reason);
        lock (Gate)
        {
            if (isDisposed)
                return;
            if (interruptReason == 0)
                interruptReason = reason;
            SignalInterrupt();
        }
        if (UsesEpochs)
            Engine.IncrementEpoch();
    }

    /// <summary>
    /// Host functions that can take long must call it regularly, because only guest code checks for interrupts by itself.
    /// </summary>
    /// <exception cref="WasmTrapException">The guest has been interrupted.</exception>
    public void CheckInterrupt()
    {
        if (interruptReason is not 0 and var reason)
            throw new WasmTrapException(TrapKind.Interrupted, interruptReason: reason);
    }

    /// <summary>Creates a memory of the guest, at Wasmtime's request.</summary>
    internal abstract MemorySlot AddMemory(long minimum, long capacity);

    /// <summary>Grows a memory, within the limit of all together.</summary>
    internal bool TryGrow(MemorySlot slot, long size)
    {
        if (MemoryPeakBytes - slot.Size + size <= memoryLimit && Share?.TryGrow(size - slot.Size) != false && slot.TryGrow(size))
            return true;
        MemoryLimitReached = true;
        return false;
    }

    /// <summary>Frees the store and its memories. The guest must not be running.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            if (isDisposed)
                return;
            isDisposed = true;
        }
        Native.wasmtime_store_delete(store);
        ReleaseMemories();
        foreach (var heap in heaps)
            heap.Free();
        ReleaseCode();
    }

    /// <summary>Called by <see cref="Interrupt"/>, which holds the gate.</summary>
    protected virtual void SignalInterrupt() { }

    /// <summary>Returns memories that are used again.</summary>
    protected virtual void ReleaseMemories() { }

    /// <summary>Gives up the hold on the guest's code.</summary>
    protected abstract void ReleaseCode();

    /// <summary>Checks the limit before a memory is created.</summary>
    /// <exception cref="MemoryLimitException">The guest begins with more memory than the limit.</exception>
    protected void CountMemory(long length)
    {
        var total = MemoryPeakBytes + length;
        if (total <= memoryLimit)
            return;
        MemoryLimitReached = true;
        var (needed, allowed) = (total / LinearMemory.PageBytes, memoryLimit / LinearMemory.PageBytes);
        throw new MemoryLimitException($"The module needs {needed} pages of memory; the limit is {allowed}.");
    }

    /// <summary>Creates a memory that belongs to this store alone.</summary>
    protected MemorySlot AddHeap(long minimum, long capacity)
    {
        var heap = MemorySlot.Reserve(capacity);
        heaps.Add(heap);
        return heap.TryGrow(minimum) ? heap : throw new WasmLinkException("The system has no memory left.");
    }

    /// <summary>Makes this the thread's current store while native code runs the guest.</summary>
    /// <returns>The one before, for <see cref="Leave"/>.</returns>
    protected Store? Enter()
    {
        var outer = current;
        current = this;
        return outer;
    }

    /// <summary>Ends <see cref="Enter"/>.</summary>
    protected static void Leave(Store? outer) => current = outer;

    /// <summary>Lets the guest run until the epoch ends, unless it has been interrupted already.</summary>
    /// <exception cref="WasmTrapException">It has been interrupted.</exception>
    protected void BeginEpoch()
    {
        // Set the deadline before checking the mark, because Interrupt marks the store before it ends the epoch.
        if (UsesEpochs)
            Native.wasmtime_context_set_epoch_deadline(Context, 1);
        CheckInterrupt();
    }

    /// <summary>Throws what ended the guest, given the message and, if it is known, the code of its trap.</summary>
    protected void Throw(string message, TrapCode? code)
    {
        if (Thrown is { } thrown)
        {
            Thrown = null;
            ExceptionDispatchInfo.Throw(thrown);
        }
        // A guest without epochs, the JavaScript engine, checks for interrupts by itself and traps by `unreachable`.
        wasStopped |= !UsesEpochs && interruptReason != 0 && code == TrapCode.UnreachableCodeReached;
        throw wasStopped ? new WasmTrapException(TrapKind.Interrupted, interruptReason: interruptReason)
        : code is { } known && KindOf(known) is { } kind ? new WasmTrapException(kind)
        : new WasmTrapException(TrapKind.Other, LastLine(message));
    }

    protected static void Check(nint error)
    {
        if (error != 0)
            throw new InvalidOperationException(Native.TakeError(error));
    }

    /// <summary>Returns the reason of a trap: Wasmtime writes the guest's stack first and the reason last.</summary>
    protected static string LastLine(string message)
    {
        var line = message.TrimEnd();
        line = line[(line.LastIndexOf('\n') + 1)..].Trim();
        return line.StartsWith("wasm trap: ", StringComparison.Ordinal) ? line["wasm trap: ".Length..] : line;
    }

    /// <summary>Called for every running guest when an epoch ends.</summary>
    /// <returns>An error that ends the guest, or 0.</returns>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint EpochEnded(nint context, nint data, ulong* ticks, byte* kind)
    {
        *ticks = 1;
        *kind = 0;
        if (current is not { } guest || guest.interruptReason == 0)
            return 0;
        guest.wasStopped = true;
        return Native.wasmtime_error_new("interrupted");
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
}

/// <summary>An instance can't start: it begins with more memory than its limit.</summary>
internal sealed class MemoryLimitException(string message) : Exception(message);
