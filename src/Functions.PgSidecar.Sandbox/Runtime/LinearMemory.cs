using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Address space of memories that is reserved, of which a part is accessible.</summary>
internal static unsafe class LinearMemory
{
    /// <summary>A WebAssembly page.</summary>
    public const int PageBytes = 65536;

    /// <summary>Makes reserved bytes accessible; they are zero.</summary>
    public static bool TryCommit(byte* address, long length) => length == 0 || Protect((nint)address, (nint)length, ProtectReadWrite) == 0;

    /// <summary>Gives pages back and makes them inaccessible again.</summary>
    public static void Release(byte* address, long length)
    {
        if (length > 0)
            Map(address, length, ProtectNone, MapPrivate | MapAnonymous | MapNoReserve | MapFixed);
    }
}
