using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>Reads the primitive values of the binary format (section 5.2) from a window of a module.</summary>
internal ref struct ByteReader(ReadOnlySpan<byte> bytes, int position, int end)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> bytes = bytes[..end];

    public int Position { get; private set; } = position;

    public readonly int End => bytes.Length;

    public readonly bool AtEnd => Position == bytes.Length;

    public byte Byte()
    {
        if (Position >= bytes.Length)
            Fail("unexpected end");
        return bytes[Position++];
    }

    public readonly byte Peek() => Position < bytes.Length ? bytes[Position] : (byte)0;

    /// <summary>Passes over so many bytes and returns where they began.</summary>
    public int Skip(uint count)
    {
        if (count > bytes.Length - Position)
            Fail("unexpected end");
        var start = Position;
        Position += (int)count;
        return start;
    }

    public uint U32()
    {
        uint result = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = Byte();
            if (shift == 28 && next > 0x0F)
                Fail((next & 0x80) != 0 ? "integer representation too long" : "integer too large");
            result |= (uint)(next & 0x7F) << shift;
            if ((next & 0x80) == 0)
                return result;
        }
    }

    /// <summary>A count or index that must stay below a limit of ours.</summary>
    public int Count(int limit, string what)
    {
        var count = U32();
        if (count > (uint)limit)
            Fail($"too many {what}: {count}, the limit is {limit}");
        return (int)count;
    }

    public int S32() => (int)Signed(32);

    public long S33() => Signed(33);

    public long S64() => Signed(64);

    private long Signed(int bits)
    {
        long result = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = Byte();
            var left = bits - shift;
            if (left < 7)
                CheckLastByte(next, left);
            result |= (long)(next & 0x7F) << shift;
            if ((next & 0x80) != 0)
                continue;
            return shift + 7 < 64 && (next & 0x40) != 0 ? result | (-1L << (shift + 7)) : result;
        }
    }

    /// <summary>In the last byte of a signed number the bits beyond its width must repeat its sign.</summary>
    private readonly void CheckLastByte(byte last, int usedBits)
    {
        if ((last & 0x80) != 0)
            Fail("integer representation too long");
        var unused = (sbyte)(last << 1) >> usedBits;
        if (unused is not (0 or -1))
            Fail("integer too large");
    }

    public uint Bits32() => BinaryPrimitives.ReadUInt32LittleEndian(bytes[Skip(4)..]);

    public ulong Bits64() => BinaryPrimitives.ReadUInt64LittleEndian(bytes[Skip(8)..]);

    public string Name()
    {
        var length = U32();
        var start = Skip(length);
        try
        {
            return StrictUtf8.GetString(bytes.Slice(start, (int)length));
        }
        catch (DecoderFallbackException)
        {
            throw new WasmFormatException("malformed UTF-8 encoding", start);
        }
    }

    /// <summary>A reader of the next so many bytes, which this one passes over.</summary>
    public ByteReader Section(uint length)
    {
        var start = Skip(length);
        return new ByteReader(bytes, start, start + (int)length);
    }

    [DoesNotReturn]
    public readonly void Fail(string reason) => throw new WasmFormatException(reason, Position);
}
