namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>What one run of a function may use. Exceeding a limit ends the run with the outcome that names it.</summary>
/// <param name="Timeout">Wall-clock time, from the moment the run is handed over, waiting included.</param>
/// <param name="MemoryBytes">Linear memory, the JavaScript engine's own share (about 3 MB) included; whole 64 KiB pages.</param>
/// <param name="CpuTime">CPU time, or <see langword="null"/> where only the timeout counts.</param>
/// <param name="Fuel">WebAssembly instructions, or <see langword="null"/> where they are not counted; of modules that were compiled to count them.</param>
public readonly record struct GuestLimits(TimeSpan Timeout, long MemoryBytes, TimeSpan? CpuTime = null, long? Fuel = null)
{
    /// <summary>The defaults of a function: 10 s and 128 MB.</summary>
    public static readonly GuestLimits Default = new(TimeSpan.FromSeconds(10), 128L << 20);
}
