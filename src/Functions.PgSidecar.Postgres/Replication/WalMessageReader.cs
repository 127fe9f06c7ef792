using System.Buffers.Binary;
using System.Text;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// Reads the fields of a message of the output plugin pgoutput ("Logical Replication Message Formats" of PostgreSQL's documentation).
/// </summary>
internal ref struct WalMessageReader(ReadOnlySpan<byte> message)
{
    private readonly ReadOnlySpan<byte> message = message;

    /// <summary>The current position.</summary>
    public int Position { get; private set; }

    public byte Byte() => message[Position++];

    public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Bytes(sizeof(short)));

    public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Bytes(sizeof(int)));

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Bytes(sizeof(uint)));

    public long Int64() => BinaryPrimitives.ReadInt64BigEndian(Bytes(sizeof(long)));

    public ulong Lsn() => BinaryPrimitives.ReadUInt64BigEndian(Bytes(sizeof(ulong)));

    public ReadOnlySpan<byte> Bytes(int length)
    {
        var bytes = message.Slice(Position, length);
        Position += length;
        return bytes;
    }

    /// <summary>A string that ends with a zero byte.</summary>
    public string Text()
    {
        var length = message[Position..].IndexOf((byte)0);
        var text = Encoding.UTF8.GetString(Bytes(length));
        Position++;
        return text;
    }

    /// <summary>
    /// Reads a message of <c>pg_logical_emit_message</c>, after its type. Only transactional messages count: a non-transactional one
    /// outlives a rollback.
    /// </summary>
    /// <param name="prefix">The prefix that it must have.</param>
    /// <param name="content">Its content.</param>
    /// <returns>Whether it is transactional and has this prefix.</returns>
    public bool TryContent(string prefix, out ReadOnlySpan<byte> content)
    {
        var transactional = (Byte() & 1) == 1;
        Lsn();
        content = default;
        if (Text() != prefix || !transactional)
            return false;
        content = Bytes(Int32());
        return true;
    }
}
