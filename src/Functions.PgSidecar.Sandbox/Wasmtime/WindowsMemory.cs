using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The functions of Windows for <see cref="LinearMemory"/>. Constants are from winnt.h.</summary>
internal static unsafe partial class WindowsMemory
{
    private const uint MemoryCommit = 0x1000;
    private const uint MemoryReserve = 0x2000;
    private const uint MemoryDecommit = 0x4000;
    private const uint MemoryRelease = 0x8000;
    private const uint PageNoAccess = 0x01;
    private const uint PageReadOnly = 0x02;
    private const uint PageReadWrite = 0x04;

    public static byte* TryReserve(long length) => Allocate(null, (nuint)length, MemoryReserve, PageNoAccess);

    public static bool TryCommit(byte* address, long length) => Allocate(address, (nuint)length, MemoryCommit, PageReadWrite) != null;

    public static bool TryProtect(byte* address, long length) => Protect(address, (nuint)length, PageReadOnly, out _) != 0;

    public static void Decommit(byte* address, long length) => Free(address, (nuint)length, MemoryDecommit);

    public static void Free(byte* address) => Free(address, 0, MemoryRelease);

    private static void Free(byte* address, nuint length, uint how)
    {
        if (FreeMemory(address, length, how) == 0)
            throw new Win32Exception();
    }

    [LibraryImport("kernel32", EntryPoint = "VirtualAlloc", SetLastError = true)]
    private static partial byte* Allocate(byte* address, nuint length, uint how, uint protection);

    [LibraryImport("kernel32", EntryPoint = "VirtualFree", SetLastError = true)]
    private static partial int FreeMemory(byte* address, nuint length, uint how);

    [LibraryImport("kernel32", EntryPoint = "VirtualProtect", SetLastError = true)]
    private static partial int Protect(byte* address, nuint length, uint protection, out uint former);
}
