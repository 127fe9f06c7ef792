using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// Finds the pages of a private file mapping that were written to. The kernel's page map (Documentation/admin-guide/mm/pagemap.rst) has 64 bits a page:
/// a page that is present or swapped and does not belong to a file is a private copy, made by the first write. What it calls a file's page, or not
/// there, still shows the file's bytes.
/// </summary>
internal static unsafe class DirtyPages
{
    private const ulong Present = 1ul << 63;
    private const ulong Swapped = 1ul << 62;
    private const ulong OfFile = 1ul << 61;
    private const int EntriesAtOnce = 1024;

    private static readonly SafeFileHandle? PageMap = Open();

    /// <summary>
    /// Copies the pristine bytes over every page that was written to. False, with the mapping in between, when that is not possible or more than a
    /// number of bytes would have to be copied: then it must be mapped afresh.
    /// </summary>
    public static bool TryRestore(byte* mapping, byte* pristine, long length, long maximumBytes)
    {
        if (PageMap is null)
            return false;
        Span<ulong> entries = stackalloc ulong[EntriesAtOnce];
        var copied = 0L;
        var pages = length / NativeMethods.PageBytes;
        for (var first = 0L; first < pages; first += EntriesAtOnce)
        {
            var window = entries[..(int)Math.Min(EntriesAtOnce, pages - first)];
            if (!TryRead((nint)mapping / NativeMethods.PageBytes + (nint)first, window))
                return false;
            for (var index = 0; index < window.Length; index++)
            {
                if ((window[index] & (Present | Swapped)) == 0 || (window[index] & OfFile) != 0)
                    continue;
                if ((copied += NativeMethods.PageBytes) > maximumBytes)
                    return false;
                var offset = (first + index) * NativeMethods.PageBytes;
                Buffer.MemoryCopy(pristine + offset, mapping + offset, NativeMethods.PageBytes, NativeMethods.PageBytes);
            }
        }

        return true;
    }

    private static bool TryRead(nint page, Span<ulong> entries)
    {
        var bytes = MemoryMarshal.AsBytes(entries);
        try
        {
            return RandomAccess.Read(PageMap!, bytes, (long)page * sizeof(ulong)) == bytes.Length;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static SafeFileHandle? Open()
    {
        try
        {
            return File.OpenHandle("/proc/self/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
