using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Counts the page faults of a thread. The first write to a page of a private mapping causes one, even if the kernel writes on behalf of
/// the thread. A thread without new page faults has therefore made no private copies.
/// </summary>
internal static unsafe partial class PageFaults
{
    private const int OfThread = 1; // RUSAGE_THREAD
    private const int MinorFaults = 8;
    private const int MajorFaults = 9;

    /// <summary>The size of a <c>struct rusage</c>, in longs.</summary>
    private const int UsageLength = 18;

    private static readonly bool IsCounted = OperatingSystem.IsLinux() && Try();

    /// <summary>The page faults of the current thread so far; <see langword="null"/> if this system does not count them.</summary>
    public static long? Count() => IsCounted ? Read() : null;

    /// <summary>Tests whether the system counts: systems that imitate Linux may always report zero.</summary>
    private static bool Try()
    {
        const int Pages = 4;
        var before = Read();
        var memory = NativeMethods.Map(
            null,
            Pages * NativeMethods.PageBytes,
            NativeMethods.ProtectReadWrite,
            NativeMethods.MapPrivate | NativeMethods.MapAnonymous
        );
        var untouched = Read();
        for (var page = 0; page < Pages; page++)
            Volatile.Write(ref memory[page * NativeMethods.PageBytes], 1);
        var after = Read();
        NativeMethods.Unmap(memory, Pages * NativeMethods.PageBytes);
        // With large pages one fault may serve several small ones.
        return before >= 0 && after > untouched;
    }

    private static long Read()
    {
        var usage = stackalloc long[UsageLength];
        return GetUsage(OfThread, usage) == 0 ? usage[MinorFaults] + usage[MajorFaults] : -1;
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    [SuppressGCTransition]
    private static partial int GetUsage(int who, long* usage);
}
