using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Linear memory as address space: reserved up to its limit, accessible up to its present size. It never moves.</summary>
internal static unsafe class LinearMemory
{
    /// <summary>A WebAssembly page.</summary>
    public const int PageBytes = 65536;

    /// <summary>Reserves address space without memory behind it; touching it is a fault, not a read of someone else's bytes.</summary>
    /// <param name="length">What may be made accessible.</param>
    /// <param name="isGuarded">Whether a room of the <see cref="GuardedSpace"/> is wanted, where the same holds for all that a 32-bit address reaches.</param>
    public static byte* Reserve(long length, bool isGuarded) => isGuarded
        ? GuardedSpace.Take()
        : Map(null, Math.Max(length, NativeMethods.PageBytes), ProtectNone, MapPrivate | MapAnonymous | MapNoReserve);

    /// <summary>Gives back what was reserved.</summary>
    public static void Free(byte* address, long length, bool isGuarded)
    {
        if (isGuarded)
            GuardedSpace.Return(address, length);
        else
            Unmap(address, Math.Max(length, NativeMethods.PageBytes));
    }

    /// <summary>Makes reserved bytes accessible; they are zero.</summary>
    public static bool TryCommit(byte* address, long length) => length == 0 || Protect((nint)address, (nint)length, ProtectReadWrite) == 0;

    /// <summary>Gives pages back and makes them inaccessible again.</summary>
    public static void Release(byte* address, long length)
    {
        if (length > 0)
            Map(address, length, ProtectNone, MapPrivate | MapAnonymous | MapNoReserve | MapFixed);
    }
}
