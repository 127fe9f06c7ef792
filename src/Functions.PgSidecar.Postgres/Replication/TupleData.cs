namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>How a message contains a column's value.</summary>
internal enum ColumnState : byte
{
    /// <summary>The tuple does not have the column.</summary>
    Absent,

    /// <summary>A null.</summary>
    Null,

    /// <summary>A value that is stored out of line and did not change: it is not in the WAL.</summary>
    Unchanged,

    /// <summary>Text.</summary>
    Text,
}

/// <summary>The positions of a row's values in their message. One instance is reused for many messages.</summary>
internal sealed class TupleData
{
    private ColumnState[] states = [];
    private int[] starts = [];
    private int[] lengths = [];

    /// <summary>How many columns the tuple has.</summary>
    public int Count { get; private set; }

    public ColumnState State(int column) => column < Count ? states[column] : ColumnState.Absent;

    /// <summary>A value's text, UTF-8; empty without a value.</summary>
    public ReadOnlySpan<byte> Text(ReadOnlySpan<byte> message, int column) =>
        State(column) == ColumnState.Text ? message.Slice(starts[column], lengths[column]) : default;

    /// <summary>Clears it.</summary>
    public void Clear() => Count = 0;

    /// <summary>Reads a tuple.</summary>
    public void Read(ref WalMessageReader reader)
    {
        var count = reader.Int16();
        if (states.Length < count)
            (states, starts, lengths) = (new ColumnState[count], new int[count], new int[count]);
        Count = count;
        for (var i = 0; i < count; i++)
        {
            states[i] = reader.Byte() switch
            {
                (byte)'n' => ColumnState.Null,
                (byte)'u' => ColumnState.Unchanged,
                (byte)'t' => ColumnState.Text,
                var other => throw new InvalidDataException($"A column's value has the unknown form '{(char)other}'."),
            };
            if (states[i] != ColumnState.Text)
                continue;
            lengths[i] = reader.Int32();
            starts[i] = reader.Position;
            reader.Bytes(lengths[i]);
        }
    }
}
