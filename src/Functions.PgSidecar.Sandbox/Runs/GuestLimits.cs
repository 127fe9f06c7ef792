namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>The limits of one run of a function. Exceeding one ends the run with the outcome that names it.</summary>
/// <param name="Timeout">Wall-clock time from the moment the run is requested, waiting for a thread included.</param>
/// <param name="MemoryBytes">Linear memory, the JavaScript engine's own share (about 3 MB) included; whole 64 KiB pages.</param>
/// <param name="CpuTime">CPU time; <see langword="null"/> for no limit but the timeout.</param>
/// <param name="Fuel">WebAssembly instructions; <see langword="null"/> for no limit. Needs a module that was compiled to count
/// them.</param>
public readonly record struct GuestLimits(TimeSpan Timeout, long MemoryBytes, TimeSpan? CpuTime = null, long? Fuel = null)
{
    /// <summary>The defaults of a function: 10 s and 128 MB.</summary>
    public static readonly GuestLimits Default = new(TimeSpan.FromSeconds(10), 128L << 20);
}
