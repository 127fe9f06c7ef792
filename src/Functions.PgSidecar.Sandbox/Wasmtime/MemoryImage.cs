using Functions.PgSidecar.Sandbox.Runtime;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>What a linear memory begins with, as a file in memory that instances map copy on write. Immutable, shared by threads.</summary>
internal sealed unsafe class MemoryImage : IDisposable
{
    /// <summary>The kernel's page.</summary>
    private const int PageBytes = NativeMethods.PageBytes;

    private readonly SnapshotMemory memory;

    private MemoryImage(long byteLength)
    {
        ByteLength = byteLength;
        memory = new SnapshotMemory(Math.Max(byteLength, PageBytes));
    }

    /// <summary>The memory's size.</summary>
    public long ByteLength { get; }

    /// <summary>The file to map.</summary>
    public int File => memory.File;

    /// <summary>Its bytes, read only.</summary>
    public byte* Pristine => memory.Address;

    /// <summary>An image whose bytes, zero at first, the given action writes.</summary>
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

    /// <summary>The present bytes of a memory that nothing writes to.</summary>
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

    /// <summary>Reads what <see cref="WriteTo"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is no image, or larger than allowed.</exception>
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

    /// <summary>Its length, then each page that holds anything behind its number, then -1.</summary>
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

    /// <summary>The bytes of an image that is being made.</summary>
    public readonly struct Pages(MemoryImage image)
    {
        /// <exception cref="ArgumentOutOfRangeException">They are not wholly inside it.</exception>
        public Span<byte> At(long offset, int length)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(offset);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, image.ByteLength - length);
            return new Span<byte>(image.Pristine + offset, length);
        }
    }
}
