using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Address space of one linear memory: all that its code can address, of which the first bytes are accessible. It never moves. Used by one instance at a
/// time.
/// </summary>
internal sealed unsafe class MemorySlot
{
    /// <summary>A page of WebAssembly.</summary>
    public const int PageBytes = 65536;

    private readonly GCHandle self;

    private MemorySlot(byte* address, long capacity)
    {
        Address = address;
        Capacity = capacity;
        self = GCHandle.Alloc(this);
    }

    /// <summary>Where it begins.</summary>
    public byte* Address { get; }

    /// <summary>Bytes reserved, what guards them included.</summary>
    public long Capacity { get; }

    /// <summary>Bytes that are accessible.</summary>
    public long Size { get; private set; }

    /// <summary>Stands for it in native code.</summary>
    public nint Handle => GCHandle.ToIntPtr(self);

    public static MemorySlot Of(nint handle) => Unsafe.As<MemorySlot>(GCHandle.FromIntPtr(handle).Target!);

    /// <summary>A memory of one page that lies somewhere already, and can't grow.</summary>
    public static MemorySlot OfPage(byte* address) => new(address, PageBytes) { Size = PageBytes };

    /// <summary>Reserves address space, none of it accessible.</summary>
    /// <exception cref="WasmLinkException">The system has none left.</exception>
    public static MemorySlot Reserve(long capacity)
    {
        var address = TryMap(capacity, ProtectNone);
        return address != 0 ? new MemorySlot((byte*)address, capacity) : throw new WasmLinkException("The system has no address space left for another instance.");
    }

    /// <summary>Makes more bytes accessible, which are zero.</summary>
    public bool TryGrow(long size)
    {
        if (size > Capacity || !LinearMemory.TryCommit(Address + Size, size - Size))
            return false;
        Size = size;
        return true;
    }

    /// <summary>Begins as an image, copied on write.</summary>
    public void Map(MemoryImage image)
    {
        if (image.ByteLength > 0)
            NativeMethods.Map(Address, image.ByteLength, ProtectReadWrite, MapPrivate | MapFixed | MapNoReserve, image.File);
        Size = image.ByteLength;
    }

    /// <summary>
    /// Returns to the image that it began as, byte for byte, by copying back the pages that the kernel says were written to; where that can't be found out,
    /// or is too much, the image is mapped anew.
    /// </summary>
    public void PutBack(MemoryImage image, long maximumCopiedBytes)
    {
        if (Size > image.ByteLength)
            LinearMemory.Release(Address + image.ByteLength, Size - image.ByteLength);
        Size = image.ByteLength;
        if (!DirtyPages.TryRestore(Address, image.Pristine, image.ByteLength, maximumCopiedBytes))
            Map(image);
    }

    /// <summary>Gives the address space back.</summary>
    public void Free()
    {
        Unmap(Address, Capacity);
        self.Free();
    }
}
