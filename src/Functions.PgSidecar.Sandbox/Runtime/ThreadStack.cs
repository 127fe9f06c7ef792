using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>How far guest code may go down the current thread's stack.</summary>
internal static unsafe class ThreadStack
{
    /// <summary>
    /// Left free for what does not check: a function's own frame, chains of calls that need no check (see CallGraph), host functions, and the runtime's
    /// exception handling, which .NET cannot do on an exhausted stack.
    /// </summary>
    private const long ReserveBytes = 4 * 1024 * 1024;

    /// <summary>A pthread_attr_t is 56 bytes on x86-64 and 64 on arm64.</summary>
    private const int AttributeBytes = 128;

    [ThreadStatic]
    private static nint limit;

    /// <summary>The lowest address the stack pointer may have; asked of the system once a thread.</summary>
    public static nint Limit => limit != 0 ? limit : limit = FindLimit();

    private static nint FindLimit()
    {
        var attributes = stackalloc byte[AttributeBytes];
        nint lowest;
        nint size;
        if (ThreadAttributes(ThreadSelf(), attributes) != 0)
            throw new InvalidOperationException("The thread's stack is unknown.");
        var known = NativeMethods.ThreadStack(attributes, &lowest, &size) == 0;
        _ = DestroyThreadAttributes(attributes);
        if (!known || size < 2 * ReserveBytes)
            throw new InvalidOperationException($"Guest code needs a thread with at least {2 * ReserveBytes >> 20} MiB of stack; use {nameof(WasmInstance.RunStackBytes)}.");
        return lowest + (nint)ReserveBytes;
    }
}
