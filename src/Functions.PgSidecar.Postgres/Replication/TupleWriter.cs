using System.Buffers;
using System.Buffers.Binary;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Writes a selected row in the form of a WAL message, so that both are processed by the same code.</summary>
internal static class TupleWriter
{
    /// <summary>The part of an INSERT message after the table: a marker and the row.</summary>
    /// <param name="reader">A row whose values are read as text.</param>
    /// <param name="columns">How many there are.</param>
    /// <param name="buffer">The target; overwritten.</param>
    public static ReadOnlyMemory<byte> Write(NpgsqlDataReader reader, int columns, ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        buffer.Write("N"u8);
        BinaryPrimitives.WriteInt16BigEndian(buffer.GetSpan(sizeof(short)), (short)columns);
        buffer.Advance(sizeof(short));
        for (var i = 0; i < columns; i++)
        {
            if (reader.IsDBNull(i))
            {
                buffer.Write("n"u8);
                continue;
            }
            using var value = reader.GetStream(i);
            var length = checked((int)value.Length);
            buffer.Write("t"u8);
            BinaryPrimitives.WriteInt32BigEndian(buffer.GetSpan(sizeof(int)), length);
            buffer.Advance(sizeof(int));
            value.ReadExactly(buffer.GetSpan(length)[..length]);
            buffer.Advance(length);
        }
        return buffer.WrittenMemory;
    }
}
