namespace Functions.PgSidecar.Sandbox.Compilation;

/// <summary>How modules are compiled. The same modules compiled in different ways are different images, with different engine ids.</summary>
public sealed record CompilationOptions
{
    /// <summary>Code that counts nothing.</summary>
    public static CompilationOptions Default { get; } = new();

    /// <summary>
    /// Whether code counts the instructions it executes and stops with <see cref="Runtime.TrapKind.OutOfFuel"/> when <see cref="Runtime.WasmInstance.Fuel"/>
    /// is used up: on every machine after the same instruction. Off by default; code compiled without pays nothing for it. The prices are in
    /// docs/webassembly-engine.md.
    /// </summary>
    public bool CountFuel { get; init; }

    /// <summary>
    /// Whether the runtime optimises each function when it is first called, instead of the functions that have been called often. For code that is
    /// kept as CIL; code that crossgen2 has compiled would be compiled a second time. Off by default.
    /// </summary>
    public bool OptimizeAtFirstCall { get; init; }

    /// <summary>
    /// Whether accesses outside linear memory are found by the processor instead of by comparisons: code is smaller and faster, and each instance takes 5 GiB
    /// of address space. Off by default. Such an image starts only where <see cref="GuardPagesAreAvailable"/>.
    /// </summary>
    public bool GuardPages { get; init; }

    /// <summary>Instances of images with <see cref="GuardPages"/> that may be running at the same time, whatever number of idle ones is kept for them.</summary>
    public const int GuardedInstances = 3000;

    /// <summary>Whether this process can start images with <see cref="GuardPages"/>: on Linux, on x86-64, where 64 TiB of address space may be reserved.</summary>
    public static bool GuardPagesAreAvailable => Runtime.GuardedSpace.IsAvailable;
}
