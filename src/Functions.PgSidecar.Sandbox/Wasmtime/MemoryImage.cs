namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>The initial contents of a linear memory. Instances map it copy-on-write or copy it. Immutable, shared by threads.</summary>
internal sealed unsafe class MemoryImage : IDisposable
{
    /// <summary>Pages of this size are stored, or left out if zero.</summary>
    private const int PageBytes = NativeMethods.PageBytes;

    private readonly SnapshotMemory memory;

    private MemoryImage(long byteLength)
    {
        ByteLength = byteLength;
        memory = new SnapshotMemory(Math.Max(byteLength, PageBytes));
    }

    /// <summary>The memory's size.</summary>
    public long ByteLength { get; }

    /// <summary>Whether instances map it.</summary>
    public bool IsMapped => memory.File >= 0;

    /// <summary>The file to map.</summary>
    public int File => memory.File;

    /// <summary>Its bytes, read only.</summary>
    public byte* Pristine => memory.Address;

    /// <summary>Creates an image. The given action writes its bytes, which are zero at first.</summary>
    public static MemoryImage Create(long byteLength, Action<Pages> fill)
    {
        var image = new MemoryImage(byteLength);
        try
        {
            fill(new Pages(image));
            image.memory.MakeReadOnly();
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>Creates an image of a memory that no code writes to meanwhile.</summary>
    public static MemoryImage Of(MemorySlot slot) => Create(slot.Size, pages =>
        {
            for (var offset = 0L; offset < slot.Size; offset += PageBytes)
            {
                // Pages of zeros stay holes of the file.
                var page = new ReadOnlySpan<byte>(slot.Address + offset, PageBytes);
                if (page.ContainsAnyExcept((byte)0))
                    page.CopyTo(pages.At(offset, PageBytes));
            }
        });

    /// <summary>Reads the output of <see cref="WriteTo"/>.</summary>
    /// <exception cref="InvalidDataException">The bytes are no image, or it is larger than allowed.</exception>
    public static MemoryImage Read(BinaryReader reader, long maximumBytes)
    {
        var length = reader.ReadInt64();
        if (length < 0 || length > maximumBytes || length % PageBytes != 0)
            throw new InvalidDataException("A stored memory has an impossible size.");
        return Create(length, pages =>
        {
            for (var page = reader.ReadInt32(); page != -1; page = reader.ReadInt32())
            {
                if (page < 0 || page >= length / PageBytes)
                    throw new InvalidDataException("A stored memory has a page outside of it.");
                reader.BaseStream.ReadExactly(pages.At((long)page * PageBytes, PageBytes));
            }
        });
    }

    /// <summary>Writes its length, then for each page that is not all zero its number and its bytes, then -1.</summary>
    public void WriteTo(BinaryWriter writer)
    {
        writer.Write(ByteLength);
        for (var page = 0; page < ByteLength / PageBytes; page++)
        {
            var bytes = new ReadOnlySpan<byte>(Pristine + (long)page * PageBytes, PageBytes);
            if (!bytes.ContainsAnyExcept((byte)0))
                continue;
            writer.Write(page);
            writer.Write(bytes);
        }
        writer.Write(-1);
    }

    public void Dispose() => memory.Dispose();

    /// <summary>The bytes of an image under construction.</summary>
    public readonly struct Pages(MemoryImage image)
    {
        /// <exception cref="ArgumentOutOfRangeException">The bytes are not wholly inside the image.</exception>
        public Span<byte> At(long offset, int length)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(offset);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, image.ByteLength - length);
            return new Span<byte>(image.Pristine + offset, length);
        }
    }
}
