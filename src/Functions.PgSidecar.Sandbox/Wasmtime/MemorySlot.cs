using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Functions.PgSidecar.Sandbox.Wasmtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The reserved address space of one linear memory: everything that its code can address. Only the first bytes are accessible. It never
/// moves. One instance at a time uses it.
/// </summary>
internal sealed unsafe class MemorySlot
{
    /// <summary>The size of a WebAssembly page.</summary>
    public const int PageBytes = 65536;

    private readonly GCHandle self;
    private readonly PrivatePages written = new();
    private Thread? user;
    private long? faults;

    private MemorySlot(byte* address, long capacity)
    {
        Address = address;
        Capacity = capacity;
        self = GCHandle.Alloc(this);
    }

    /// <summary>Its first byte.</summary>
    public byte* Address { get; }

    /// <summary>Reserved bytes, the guard region included.</summary>
    public long Capacity { get; }

    /// <summary>Accessible bytes.</summary>
    public long Size { get; private set; }

    /// <summary>Represents it in native code.</summary>
    public nint Handle => GCHandle.ToIntPtr(self);

    public static MemorySlot Of(nint handle) => Unsafe.As<MemorySlot>(GCHandle.FromIntPtr(handle).Target!);

    /// <summary>A memory of one page that is already allocated and can't grow.</summary>
    public static MemorySlot OfPage(byte* address) => new(address, PageBytes) { Size = PageBytes };

    /// <summary>Reserves address space, none of it accessible.</summary>
    /// <exception cref="WasmLinkException">The system has no address space left.</exception>
    public static MemorySlot Reserve(long capacity)
    {
        var address = LinearMemory.TryReserve(capacity);
        return address != null
            ? new MemorySlot(address, capacity)
            : throw new WasmLinkException("The system has no address space left for another instance.");
    }

    /// <summary>Makes more bytes accessible; they are zero.</summary>
    public bool TryGrow(long size)
    {
        if (size > Capacity || !LinearMemory.TryCommit(Address + Size, size - Size))
            return false;
        Size = size;
        return true;
    }

    /// <summary>Fills it with an image: mapped copy-on-write if possible, else copied.</summary>
    public void Map(MemoryImage image)
    {
        if (!image.IsMapped)
            Copy(image);
        else if (image.ByteLength > 0)
            NativeMethods.Map(Address, image.ByteLength, ProtectReadWrite, MapPrivate | MapFixed | MapNoReserve, image.File);
        written.Clear();
        Size = image.ByteLength;
    }

    /// <summary>Marks the start of its use on the current thread.</summary>
    public void BeginUse()
    {
        user = Thread.CurrentThread;
        faults = PageFaults.Count();
    }

    /// <summary>Records that another thread uses it too.</summary>
    public void ChangeThread() => user = null;

    /// <summary>
    /// Restores the image, byte for byte, by copying back the pages that the kernel reports as written. If those are unknown or too many,
    /// the image is mapped again.
    /// </summary>
    /// <remarks>
    /// The list of written pages is reused if the only thread that used the memory has had no page fault since: then every page that it
    /// wrote was already a private copy.
    /// </remarks>
    public void PutBack(MemoryImage image, long maximumCopiedBytes)
    {
        if (Size > image.ByteLength)
            LinearMemory.Release(Address + image.ByteLength, Size - image.ByteLength);
        Size = image.ByteLength;
        if (!image.IsMapped)
        {
            Copy(image);
            return;
        }
        var hasNew = user != Thread.CurrentThread || faults is null || faults != PageFaults.Count();
        if (!written.TryRestore(Address, image.Pristine, image.ByteLength, maximumCopiedBytes, hasNew))
            Map(image);
    }

    /// <summary>Frees the address space.</summary>
    public void Free()
    {
        LinearMemory.Free(Address, Capacity);
        self.Free();
    }

    /// <summary>
    /// Copies the pages that differ from an image. Equal pages, such as untouched zeros, are not written, so they take no memory.
    /// </summary>
    private void Copy(MemoryImage image)
    {
        if (Size < image.ByteLength && !TryGrow(image.ByteLength))
            throw new WasmLinkException("The system has no memory left for another instance.");
        for (var offset = 0L; offset < image.ByteLength; offset += NativeMethods.PageBytes)
        {
            var wanted = new ReadOnlySpan<byte>(image.Pristine + offset, NativeMethods.PageBytes);
            var present = new Span<byte>(Address + offset, NativeMethods.PageBytes);
            if (!present.SequenceEqual(wanted))
                wanted.CopyTo(present);
        }
    }
}
