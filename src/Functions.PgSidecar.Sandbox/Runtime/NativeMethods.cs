using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>The Linux system calls behind instances. Numbers as in the x86-64 and arm64 kernel headers.</summary>
internal static unsafe partial class NativeMethods
{
    public const int ProtectNone = 0;
    public const int ProtectRead = 1;
    public const int ProtectReadWrite = 3;
    public const int MapShared = 0x01;
    public const int MapPrivate = 0x02;
    public const int MapFixed = 0x10;
    public const int MapAnonymous = 0x20;
    public const int MapNoReserve = 0x4000;
    public const int PageBytes = 4096;

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

    /// <summary>Maps memory; at exactly the address given when <see cref="MapFixed"/> is among the flags.</summary>
    public static byte* Map(byte* address, long length, int protection, int flags, int file = -1)
    {
        var mapped = MemoryMap((nint)address, (nint)length, protection, flags, file, 0);
        if (mapped == -1)
            Fail("mmap");
        return (byte*)mapped;
    }

    /// <summary>Maps anonymous private memory anywhere; 0 where that is refused.</summary>
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

    /// <summary>A file that lives in memory, of a size, full of zeros.</summary>
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
    private static void Fail(string call) => throw new Win32Exception(Marshal.GetLastPInvokeError(), $"{call}: {Marshal.GetLastPInvokeErrorMessage()}");
}
