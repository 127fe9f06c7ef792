using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The system calls of Unix for memories. Constants are from the x86-64 and arm64 kernel headers of Linux, and from those of macOS.
/// </summary>
internal static unsafe partial class NativeMethods
{
    public const int ProtectNone = 0;
    public const int ProtectRead = 1;
    public const int ProtectReadWrite = 3;
    public const int MapShared = 0x01;
    public const int MapPrivate = 0x02;
    public const int MapFixed = 0x10;

    /// <summary>The size of a page on systems where snapshots are mapped; see <see cref="SnapshotMemory.AreMapped"/>.</summary>
    public const int PageBytes = 4096;

    public static readonly int MapAnonymous = OperatingSystem.IsMacOS() ? 0x1000 : 0x20;
    public static readonly int MapNoReserve = OperatingSystem.IsMacOS() ? 0x40 : 0x4000;

    private const int CloseOnExec = 1;

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MemoryMap(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MemoryUnmap(nint address, nint length);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    public static partial int Protect(nint address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemoryFileCreate(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    private static partial int Truncate(int file, nint length);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int file);

    /// <summary>Maps memory; with <see cref="MapFixed"/> at exactly the given address.</summary>
    public static byte* Map(byte* address, long length, int protection, int flags, int file = -1)
    {
        var mapped = MemoryMap((nint)address, (nint)length, protection, flags, file, 0);
        if (mapped == -1)
            Fail("mmap");
        return (byte*)mapped;
    }

    /// <summary>Maps anonymous private memory at any address; 0 on failure.</summary>
    public static nint TryMap(long length, int protection)
    {
        var mapped = MemoryMap(0, (nint)length, protection, MapPrivate | MapAnonymous | MapNoReserve, -1, 0);
        return mapped == -1 ? 0 : mapped;
    }

    public static void Unmap(byte* address, long length)
    {
        if (MemoryUnmap((nint)address, (nint)length) != 0)
            Fail("munmap");
    }

    /// <summary>Creates a file in memory, of a size in bytes and full of zeros.</summary>
    public static int CreateMemoryFile(string name, long length)
    {
        var file = MemoryFileCreate(name, CloseOnExec);
        if (file < 0)
            Fail("memfd_create");
        if (Truncate(file, (nint)length) != 0)
            Fail("ftruncate");
        return file;
    }

    [DoesNotReturn]
    private static void Fail(string call) =>
        throw new Win32Exception(Marshal.GetLastPInvokeError(), $"{call}: {Marshal.GetLastPInvokeErrorMessage()}");
}
