using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>
/// Finds how much stack the current thread has left. A thread with less than guest code may use must not run any: the guest could overflow
/// it.
/// </summary>
internal static unsafe partial class StackSpace
{
    /// <summary>Bytes; more than the size of <c>pthread_attr_t</c> on any processor.</summary>
    private const int AttributesLength = 256;

    /// <summary>The stack that the system reports may include its guard pages, which can't be used.</summary>
    private const long GuardBytes = 256 * 1024;

    [ThreadStatic]
    private static nuint end;

    /// <summary>At least this many bytes are left; 0 if unknown.</summary>
    public static long Left
    {
        get
        {
            if (end == 0)
                end = FindEnd();
            byte here;
            return end == nuint.MaxValue ? 0 : (long)((nuint)(&here) - end) - GuardBytes;
        }
    }

    private static nuint FindEnd()
    {
        if (!OperatingSystem.IsLinux())
            return nuint.MaxValue;
        var attributes = stackalloc byte[AttributesLength];
        if (GetAttributes(PthreadSelf(), attributes) != 0)
            return nuint.MaxValue;
        var isKnown = GetStack(attributes, out var address, out _) == 0;
        _ = DestroyAttributes(attributes);
        return isKnown ? address : nuint.MaxValue;
    }

    [LibraryImport("libc", EntryPoint = "pthread_self")]
    private static partial nint PthreadSelf();

    [LibraryImport("libc", EntryPoint = "pthread_getattr_np")]
    private static partial int GetAttributes(nint thread, byte* attributes);

    [LibraryImport("libc", EntryPoint = "pthread_attr_getstack")]
    private static partial int GetStack(byte* attributes, out nuint address, out nuint size);

    [LibraryImport("libc", EntryPoint = "pthread_attr_destroy")]
    private static partial int DestroyAttributes(byte* attributes);
}
