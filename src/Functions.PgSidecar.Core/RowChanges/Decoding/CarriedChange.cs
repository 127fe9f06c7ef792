using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// An update or delete that is not published, but that <c>functions_private.capture_change()</c> has written into the WAL as a message.
/// From here on it is treated like a published change: the same table, the same value texts.
/// </summary>
internal sealed class CarriedChange
{
    /// <summary>The prefix of the messages.</summary>
    public const string Prefix = "functions.change";

    private const string Domain = "change";

    private uint relation;
    private string schema = "";
    private string table = "";

    private CarriedChange() { }

    /// <summary>The operation.</summary>
    public RowOperations Operation { get; private set; }

    /// <summary>The columns of the rows; their types are set once they have been looked up.</summary>
    public PublishedColumn[] Columns { get; private set; } = [];

    /// <summary>The rows, in the format of a published change.</summary>
    public byte[] Tuples { get; private set; } = [];

    /// <summary>Why the rows are missing, or null.</summary>
    public string? Error { get; private set; }

    /// <summary>The oid of the table; for a partitioned table, of its root.</summary>
    public uint Oid => relation;

    /// <summary>The table; for a partitioned table, its root. Old rows are complete.</summary>
    public PublishedRelation ToRelation() => new(relation, schema, table, 'f', Columns);

    /// <summary>Whether the table of an earlier change is the same, with the same columns.</summary>
    public bool IsOf(PublishedRelation described) =>
        described.Schema == schema
        && described.Name == table
        && described
            .Columns.Select(column => (column.Name, column.TypeOid, column.Number))
            .SequenceEqual(Columns.Select(column => (column.Name, column.TypeOid, column.Number)));

    /// <summary>Reads a message, if the database signed it for this transaction.</summary>
    /// <returns>Null if the database did not write the message.</returns>
    public static CarriedChange? Verify(ReadOnlySpan<byte> content, ReadOnlySpan<byte> key, uint xid)
    {
        if (!SignedMessage.TryVerify(content, key, Domain, out var json))
            return null;
        using var document = JsonDocument.Parse(json.ToArray());
        var root = document.RootElement;
        if ((uint)ulong.Parse(root.GetProperty("xid"u8).GetString()!, CultureInfo.InvariantCulture) != xid)
            return null;
        var change = new CarriedChange
        {
            relation = root.GetProperty("relation"u8).GetUInt32(),
            Operation = root.GetProperty("op"u8).GetString() == "U" ? RowOperations.Update : RowOperations.Delete,
            Error = root.TryGetProperty("error"u8, out var error) ? error.GetString() : null,
        };
        if (change.Error is not null)
            return change;
        try
        {
            change.Read(root);
        }
        catch (InvalidDataException e)
        {
            (change.Error, change.Columns) = (e.Message, []);
        }
        return change;
    }

    private void Read(JsonElement root)
    {
        schema = root.GetProperty("schema"u8).GetString()!;
        table = root.GetProperty("table"u8).GetString()!;
        var all = root.GetProperty("columns"u8)
            .EnumerateArray()
            .Select(column =>
                (
                    Name: column[0].GetString()!,
                    Type: column[1].GetUInt32(),
                    IsPublished: column[2].GetBoolean(),
                    Number: column.GetArrayLength() > 3 ? column[3].GetInt32() : 0
                )
            )
            .ToArray(); // changes written by earlier versions have no numbers
        var published = all.Select(column => column.IsPublished).ToArray();
        var columns = all.Where(column => column.IsPublished).ToArray();
        Columns =
        [
            .. columns.Select(column => new PublishedColumn(
                column.Name,
                JsonEncodedText.Encode(column.Name, RowWriter.Options.Encoder),
                PostgresType.Unknown,
                true
            )
            {
                TypeOid = column.Type,
                Number = column.Number,
            }),
        ];
        var buffer = new ArrayBufferWriter<byte>();
        Write(buffer, 'O', root.GetProperty("old"u8).GetString()!, published);
        if (Operation == RowOperations.Update)
            Write(buffer, 'N', root.GetProperty("new"u8).GetString()!, published);
        Tuples = buffer.WrittenSpan.ToArray();
    }

    private static void Write(ArrayBufferWriter<byte> buffer, char mark, string row, bool[] published)
    {
        var values = CompositeText.Parse(row);
        if (values.Count != published.Length)
            throw new InvalidDataException(
                $"The row has {values.Count} values and the table {published.Length} columns: it was altered meanwhile."
            );
        buffer.Write([(byte)mark]);
        Int16(buffer, (short)published.Count(one => one));
        for (var i = 0; i < values.Count; i++)
        {
            if (!published[i])
                continue;
            if (values[i] is not { } value)
            {
                buffer.Write("n"u8);
                continue;
            }
            buffer.Write("t"u8);
            var length = Encoding.UTF8.GetByteCount(value);
            BinaryPrimitives.WriteInt32BigEndian(buffer.GetSpan(sizeof(int)), length);
            buffer.Advance(sizeof(int));
            Encoding.UTF8.GetBytes(value, buffer);
        }
    }

    private static void Int16(ArrayBufferWriter<byte> buffer, short value)
    {
        BinaryPrimitives.WriteInt16BigEndian(buffer.GetSpan(sizeof(short)), value);
        buffer.Advance(sizeof(short));
    }
}
