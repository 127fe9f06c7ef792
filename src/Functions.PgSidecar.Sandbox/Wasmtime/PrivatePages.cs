using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The pages of one private file mapping that have been written to. The kernel's page map (Documentation/admin-guide/mm/pagemap.rst) has 64
/// bits for each page. A page that is present or swapped and does not belong to a file is a private copy, made by the first write. Any
/// other page still has the file's bytes.
/// </summary>
/// <remarks>A private copy remains one until the mapping is replaced. So the list of pages is kept, and read again only if there may be
/// more.</remarks>
internal sealed unsafe class PrivatePages
{
    private const ulong Present = 1ul << 63;
    private const ulong Swapped = 1ul << 62;
    private const ulong OfFile = 1ul << 61;
    private const int EntriesAtOnce = 1024;

    private static readonly SafeFileHandle? PageMap = Open();

    private readonly List<(int First, int Count)> ranges = [];

    /// <summary>Forgets all pages: the mapping is new.</summary>
    public void Clear() => ranges.Clear();

    /// <summary>
    /// Restores every page that was written to. False if the pages are unknown, or if more than a number of bytes would have to be copied:
    /// then map the file again.
    /// </summary>
    /// <param name="mapping">The mapping.</param>
    /// <param name="pristine">The file's bytes.</param>
    /// <param name="length">The length of both, in bytes.</param>
    /// <param name="maximumBytes">The most bytes to copy.</param>
    /// <param name="hasNew">Whether new pages may have been written to since the last call.</param>
    public bool TryRestore(byte* mapping, byte* pristine, long length, long maximumBytes, bool hasNew)
    {
        if (hasNew && !TryFind(mapping, length, maximumBytes))
            return false;
        foreach (var (first, count) in ranges)
        {
            var offset = (long)first * NativeMethods.PageBytes;
            var bytes = (long)count * NativeMethods.PageBytes;
            Buffer.MemoryCopy(pristine + offset, mapping + offset, bytes, bytes);
        }
        return true;
    }

    private bool TryFind(byte* mapping, long length, long maximumBytes)
    {
        ranges.Clear();
        if (PageMap is null)
            return false;
        Span<ulong> entries = stackalloc ulong[EntriesAtOnce];
        var found = 0L;
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
                if ((found += NativeMethods.PageBytes) > maximumBytes)
                    return false;
                Add((int)first + index);
            }
        }
        return true;
    }

    private void Add(int page)
    {
        if (ranges is [.., var last] && last.First + last.Count == page)
            ranges[^1] = (last.First, last.Count + 1);
        else
            ranges.Add((page, 1));
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
