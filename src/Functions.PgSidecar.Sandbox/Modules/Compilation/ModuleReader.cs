using System.Text;
using Functions.PgSidecar.Sandbox.Wasmtime;

namespace Functions.PgSidecar.Sandbox.Modules.Compilation;

/// <summary>Reads the binary format of a module that Wasmtime has validated. It still checks bounds.</summary>
internal ref struct ModuleReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;

    public int Position { get; private set; }

    public readonly bool IsAtEnd => Position >= bytes.Length;

    public byte Byte()
    {
        if (IsAtEnd)
            throw Malformed();
        return bytes[Position++];
    }

    public uint U32()
    {
        var value = U64();
        return value <= uint.MaxValue ? (uint)value : throw Malformed();
    }

    /// <summary>Reads a length or a number of following items; never more than the bytes that are left.</summary>
    public int Count()
    {
        var value = U64();
        return value <= (ulong)(bytes.Length - Position) ? (int)value : throw Malformed();
    }

    public ulong U64()
    {
        var value = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
        throw Malformed();
    }

    public long S64()
    {
        var value = 0L;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var next = Byte();
            value |= (long)(next & 0x7F) << shift;
            if (next < 0x80)
                return shift + 7 < 64 && (next & 0x40) != 0 ? value | (-1L << (shift + 7)) : value;
        }
        throw Malformed();
    }

    public ReadOnlySpan<byte> Bytes(int count)
    {
        if ((uint)count > (uint)(bytes.Length - Position))
            throw Malformed();
        var taken = bytes.Slice(Position, count);
        Position += count;
        return taken;
    }

    public string Name() => Encoding.UTF8.GetString(Bytes(Count()));

    /// <summary>The bytes between an earlier position and this one.</summary>
    public readonly ReadOnlySpan<byte> Since(int position) => bytes[position..Position];

    private static ModuleException Malformed() => new("The module is truncated.");
}
