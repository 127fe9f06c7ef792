namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// A running group of modules: one private mapping that holds their contexts, tables and linear memory. Used by one thread at a time;
/// only <see cref="Interrupt"/> may be called from another one.
/// </summary>
public sealed unsafe class WasmInstance : IDisposable
{
    /// <summary>The stack a thread that runs guest code must have been created with, in bytes.</summary>
    public const int RunStackBytes = 16 * 1024 * 1024;

    /// <summary>The main module's context: the last argument of every call into it.</summary>
    public nint Context => throw new NotImplementedException();

    /// <summary>Where linear memory begins. It never moves while the instance lives.</summary>
    public byte* MemoryBase => throw new NotImplementedException();

    /// <summary>Linear memory's present size in bytes; only ever grows, until <see cref="Reset"/>.</summary>
    public long MemoryLength => throw new NotImplementedException();

    /// <summary>The largest size linear memory has had since the instance was made or last reset, in bytes.</summary>
    public long MemoryPeakBytes => throw new NotImplementedException();

    /// <summary>Whether the guest asked for memory beyond its limit and was refused since the instance was made or last reset.</summary>
    public bool MemoryLimitReached => throw new NotImplementedException();

    /// <summary>What the host attaches for its host functions to find; null again after <see cref="Reset"/>.</summary>
    public object? HostState { get; set; }

    /// <summary>The instance a context belongs to: how a host function finds its memory and its <see cref="HostState"/>.</summary>
    public static WasmInstance FromContext(nint context) => throw new NotImplementedException();

    /// <summary>A side module's context.</summary>
    public nint ContextOf(string module) => throw new NotImplementedException(module);

    /// <summary>A window on linear memory; valid until the guest runs again.</summary>
    /// <exception cref="WasmTrapException">The window is not wholly inside memory (<see cref="TrapKind.OutOfBoundsMemory"/>).</exception>
    public Span<byte> Slice(int address, int length) => throw new NotImplementedException();

    /// <summary>Calls <c>qjs_ext_&lt;name&gt;_init(context, runtime)</c> of every side module, in their order.</summary>
    /// <exception cref="WasmLinkException">One of them reported an error.</exception>
    public void InitializeSideModules(int context, int runtime) => throw new NotImplementedException();

    /// <summary>
    /// Sets the native stack limit for a run on the current thread. Call it before the first call into the guest whenever the thread may
    /// have changed; the thread must have been created with <see cref="RunStackBytes"/>.
    /// </summary>
    public void ArmStack() => throw new NotImplementedException();

    /// <summary>
    /// Stops the guest at its next check (loop header, recursive call, chunk of a bulk operation) with <see cref="TrapKind.Interrupted"/>. May be
    /// called from any thread, at any time before <see cref="Dispose"/> or <see cref="Reset"/> begins: whoever hands the instance back must first
    /// remove it, under the same lock, from wherever interrupters look. Before a run, it stops the run at its first check.
    /// </summary>
    /// <param name="reason">The host's own code for the reason; not 0. The first one wins.</param>
    public void Interrupt(int reason) => throw new NotImplementedException();

    /// <summary>Freezes the present state. The instance must not be running.</summary>
    public InstanceSnapshot Snapshot() => throw new NotImplementedException();

    /// <summary>
    /// Returns this instance to the state of <paramref name="snapshot"/>, the one it was made from, by copying back only the pages it has changed.
    /// Whatever the guest did, the result is byte for byte a fresh instance.
    /// </summary>
    public void Reset(InstanceSnapshot snapshot) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
