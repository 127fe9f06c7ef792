using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>The processor time of the current thread on Windows.</summary>
internal static partial class WindowsThreadTime
{
    private const long NanosecondsPerTick = 100;

    public static long Nanoseconds() =>
        GetThreadTimes(GetCurrentThread(), out _, out _, out var kernel, out var user) != 0 ? (kernel + user) * NanosecondsPerTick : 0;

    [LibraryImport("kernel32")]
    private static partial nint GetCurrentThread();

    [LibraryImport("kernel32")]
    private static partial int GetThreadTimes(nint thread, out long created, out long ended, out long kernel, out long user);
}
