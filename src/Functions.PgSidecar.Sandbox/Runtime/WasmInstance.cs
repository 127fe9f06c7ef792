using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// A running group of modules: one private mapping that holds their contexts, tables and linear memory. Used by one thread at a time;
/// only <see cref="Interrupt"/> may be called from another one.
/// </summary>
public sealed unsafe partial class WasmInstance : IDisposable
{
    /// <summary>The stack a thread that runs guest code must have been created with, in bytes.</summary>
    public const int RunStackBytes = 16 * 1024 * 1024;

    private readonly Lock gate = new();
    private readonly CompiledImage image;
    private readonly GroupPlacement placement;
    private readonly int memoryLimitPages;
    private readonly long reservedBytes;
    private readonly byte* mapping;
    private readonly bool isGuarded;
    private readonly nint handle;

    /// <summary>Bases of memories after the first, which lie outside the mapping; such a group cannot be snapshot.</summary>
    private readonly List<(nint Base, long Bytes)> otherMemories = [];

    private bool isDisposed;

    /// <summary>The reason of the pending interrupt, for contexts that are made after it.</summary>
    private volatile int interruptReason;

    /// <summary>Reserves address space: room for a header and for linear memory up to its limit, none of it accessible yet.</summary>
    /// <param name="isGuarded">Whether the code relies on what lies around: see <see cref="GuardedSpace"/>.</param>
    internal WasmInstance(CompiledImage image, GroupPlacement placement, int memoryLimitPages, bool isGuarded)
    {
        this.image = image;
        this.placement = placement;
        this.memoryLimitPages = memoryLimitPages;
        reservedBytes = placement.HeaderBytes + (long)memoryLimitPages * LinearMemory.PageBytes;
        this.isGuarded = isGuarded;
        mapping = LinearMemory.Reserve(reservedBytes, isGuarded);
        handle = GCHandle.ToIntPtr(GCHandle.Alloc(this));
    }

    /// <summary>The main module's context: the last argument of every call into it.</summary>
    public nint Context => (nint)mapping + placement.Modules[0].ContextOffset;

    /// <summary>Where linear memory begins. It never moves while the instance lives.</summary>
    public byte* MemoryBase => Main->MemoryBase;

    /// <summary>Linear memory's present size in bytes; only ever grows, until <see cref="Reset"/>.</summary>
    public long MemoryLength => (long)Main->MemoryPages * LinearMemory.PageBytes;

    /// <summary>The largest size linear memory has had since the instance was made or last reset, in bytes: memory never shrinks.</summary>
    public long MemoryPeakBytes => MemoryLength;

    /// <summary>Whether the guest asked for memory beyond its limit and was refused since the instance was made or last reset.</summary>
    public bool MemoryLimitReached { get; private set; }

    /// <summary>What it asks before its memory grows, where the memory of all instances together has a limit.</summary>
    internal Programs.MemoryShare? Memory { get; set; }

    /// <summary>What the host attaches for its host functions to find; null again after <see cref="Reset"/>.</summary>
    public object? HostState { get; set; }

    /// <summary>
    /// How many instructions the guest may still execute, in an image compiled with <see cref="Compilation.CompilationOptions.CountFuel"/>; nothing else
    /// looks at it. It is 0 until the host sets it, in the <c>created</c> call of <see cref="CompiledImage.Start"/> where that runs guest code, and again
    /// after <see cref="Reset"/>. Host functions may read and set it; other threads may not while the guest runs. 0 once the guest has run out of it;
    /// after any other trap, what was left when the function that trapped last made or returned from a call, or less.
    /// </summary>
    public long Fuel
    {
        get => Math.Max(((GroupHeader*)mapping)->Fuel, 0);
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ((GroupHeader*)mapping)->Fuel = value;
        }
    }

    /// <summary>The reason of the interrupt that is pending or has stopped the guest; 0 when there is none.</summary>
    public int InterruptReason => interruptReason;

    internal GroupPlacement Placement => placement;

    internal byte* Mapping => mapping;

    private ModuleContext* Main => (ModuleContext*)Context;

    /// <summary>The instance a context belongs to: how a host function finds its memory and its <see cref="HostState"/>.</summary>
    public static WasmInstance FromContext(nint context) =>
        Unsafe.As<WasmInstance>(GCHandle.FromIntPtr(((ModuleContext*)context)->Group->Instance).Target!);

    /// <summary>A side module's context.</summary>
    /// <exception cref="WasmLinkException">There is no module of that name in the group.</exception>
    public nint ContextOf(string module)
    {
        foreach (var candidate in placement.Modules)
        {
            if (candidate.Module.Name == module)
                return (nint)mapping + candidate.ContextOffset;
        }

        throw new WasmLinkException($"The group has no module named {module}.");
    }

    /// <summary>A window on linear memory; valid until the guest runs again.</summary>
    /// <exception cref="WasmTrapException">The window is not wholly inside memory (<see cref="TrapKind.OutOfBoundsMemory"/>).</exception>
    public Span<byte> Slice(int address, int length)
    {
        if (length < 0 || (ulong)(uint)address + (uint)length > (ulong)MemoryLength)
            throw new WasmTrapException(TrapKind.OutOfBoundsMemory);
        return new Span<byte>(MemoryBase + (uint)address, length);
    }

    /// <summary>
    /// Calls <c>qjs_ext_&lt;name&gt;_init(context, runtime)</c> of every side module, in their order: how extensions of QuickJS enter its runtime.
    /// </summary>
    /// <param name="context">The address of the guest's <c>JSContext</c>.</param>
    /// <param name="runtime">The address of its <c>JSRuntime</c>.</param>
    /// <exception cref="WasmLinkException">One of them reported an error.</exception>
    public void InitializeSideModules(int context, int runtime)
    {
        foreach (var module in placement.Modules[1..])
        {
            var export = $"qjs_ext_{module.Module.Name.Replace('-', '_')}_init";
            var initialize = (delegate*<int, int, nint, int>)image.Function(module.Module.Name, export);
            var result = initialize(context, runtime, (nint)ContextAt(module));
            if (result != 0)
                throw new WasmLinkException($"{export} failed with code {result}.");
        }
    }

    /// <summary>
    /// Sets the native stack limit for a run on the current thread. Call it before the first call into the guest whenever the thread may
    /// have changed; the thread must have been created with <see cref="RunStackBytes"/>.
    /// </summary>
    public void ArmStack()
    {
        var limit = ThreadStack.Limit;
        lock (gate)
        {
            foreach (var module in placement.Modules)
            {
                var context = ContextAt(module);
                context->StackLimit = context->Interrupt == 0 ? limit : nint.MaxValue;
            }
        }
    }

    /// <summary>
    /// Stops the guest at its next check (loop header, recursive call, chunk of a bulk operation) with <see cref="TrapKind.Interrupted"/>. May be
    /// called from any thread at any time; after <see cref="Dispose"/> it does nothing. It stays pending until <see cref="Reset"/>: before a run, it
    /// stops the run at its first check. An instance that is reset and used again would be stopped in its next life by an interrupter that comes late,
    /// so whoever hands an instance back first removes it, under a lock, from wherever interrupters look.
    /// </summary>
    /// <param name="reason">The host's own code for the reason; not 0. The first one wins.</param>
    public void Interrupt(int reason)
    {
        ArgumentOutOfRangeException.ThrowIfZero(reason);
        lock (gate)
        {
            if (isDisposed)
                return;
            if (interruptReason == 0)
                interruptReason = reason;
            foreach (var module in placement.Modules)
                MarkInterrupted(ContextAt(module));
        }
    }

    /// <summary>
    /// Gives the mapping back. The instance must not be running. There is no finalizer: one could run while the guest does, for compiled code knows
    /// the mapping only by its address.
    /// </summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (isDisposed)
                return;
            isDisposed = true;
            LinearMemory.Free(mapping, reservedBytes, isGuarded);
            foreach (var (address, bytes) in otherMemories)
                LinearMemory.Free((byte*)address, bytes, isGuarded);
            GCHandle.FromIntPtr(handle).Free();
        }
    }

    /// <summary>Makes the header accessible: the beginning of a fresh instance.</summary>
    internal void CommitHeader()
    {
        if (!LinearMemory.TryCommit(mapping, placement.HeaderBytes))
            throw new WasmLinkException("The system has no memory left.");
        ((GroupHeader*)mapping)->Instance = handle;
    }

    /// <summary>Adds a module whose context has been taken; an interrupt that is pending holds for it too.</summary>
    internal void AddModule(ModulePlacement module)
    {
        lock (gate)
        {
            var context = ContextAt(module);
            context->Group = (GroupHeader*)mapping;
            context->Ordinal = module.Ordinal;
            context->StackLimit = ThreadStack.Limit;
            if (interruptReason != 0)
                MarkInterrupted(context);
            placement.Modules.Add(module);
        }
    }

    private void MarkInterrupted(ModuleContext* context)
    {
        Volatile.Write(ref context->Interrupt, interruptReason);
        Volatile.Write(ref context->StackLimit, nint.MaxValue);
    }

    internal ModuleContext* ContextAt(ModulePlacement module) => (ModuleContext*)(mapping + module.ContextOffset);

    internal ModulePlacement ModuleOf(nint context) => placement.Modules[((ModuleContext*)context)->Ordinal];
}
