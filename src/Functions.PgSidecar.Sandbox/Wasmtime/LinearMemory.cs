using static Functions.PgSidecar.Sandbox.Wasmtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>Reserves address space for memories and makes parts of it accessible, on Unix and Windows.</summary>
internal static unsafe class LinearMemory
{
    /// <summary>The size of a WebAssembly page.</summary>
    public const int PageBytes = 65536;

    /// <summary>Reserves address space, none of it accessible; null if none is left.</summary>
    public static byte* TryReserve(long length) =>
        OperatingSystem.IsWindows() ? WindowsMemory.TryReserve(length) : (byte*)TryMap(length, ProtectNone);

    /// <summary>Makes reserved bytes accessible; they are zero.</summary>
    public static bool TryCommit(byte* address, long length) =>
        length == 0
        || (
            OperatingSystem.IsWindows()
                ? WindowsMemory.TryCommit(address, length)
                : Protect((nint)address, (nint)length, ProtectReadWrite) == 0
        );

    /// <summary>Frees pages and makes them inaccessible again.</summary>
    public static void Release(byte* address, long length)
    {
        if (length == 0)
            return;
        if (OperatingSystem.IsWindows())
            WindowsMemory.Decommit(address, length);
        else
            Map(address, length, ProtectNone, MapPrivate | MapAnonymous | MapNoReserve | MapFixed);
    }

    /// <summary>Makes accessible bytes read-only.</summary>
    public static bool TryProtect(byte* address, long length) =>
        OperatingSystem.IsWindows() ? WindowsMemory.TryProtect(address, length) : Protect((nint)address, (nint)length, ProtectRead) == 0;

    /// <summary>Frees the whole reserved address space.</summary>
    public static void Free(byte* address, long length)
    {
        if (OperatingSystem.IsWindows())
            WindowsMemory.Free(address);
        else
            Unmap(address, length);
    }
}
