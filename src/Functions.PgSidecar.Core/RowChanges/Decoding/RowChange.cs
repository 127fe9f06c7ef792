using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Replication;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>One change of a row, or a TRUNCATE. One instance is reused for all changes.</summary>
internal sealed class RowChange
{
    /// <summary>The operation.</summary>
    public RowOperations Operation { get; private set; }

    /// <summary>The row before the change; <see cref="OldIsKey"/> says how much of it is known.</summary>
    public TupleData Old { get; } = new();

    /// <summary>The row after the change.</summary>
    public TupleData New { get; } = new();

    /// <summary>Whether the old row has only the columns of the replica identity.</summary>
    public bool OldIsKey { get; private set; }

    public bool HasOld => Old.Count > 0;

    public bool HasNew => New.Count > 0;

    /// <summary>The old row if it is complete: unchanged values can be taken from it.</summary>
    public TupleData? WholeOld => HasOld && !OldIsKey ? Old : null;

    /// <summary>Reads the tuples of an INSERT, UPDATE or DELETE.</summary>
    public void Read(RowOperations operation, ref WalMessageReader reader)
    {
        Truncated();
        Operation = operation;
        var marker = reader.Byte();
        if (marker is (byte)'K' or (byte)'O')
        {
            OldIsKey = marker == 'K';
            Old.Read(ref reader);
            if (operation == RowOperations.Delete)
                return;
            marker = reader.Byte();
        }
        if (marker != 'N')
            throw new InvalidDataException($"A change has the unknown part '{(char)marker}'.");
        New.Read(ref reader);
    }

    /// <summary>
    /// Checks the old row of a partition. The server reports it as complete if the root's replica identity is FULL, even if the partition
    /// sent only its key, with nulls for the rest. For a partition that is known to do that, a row with nothing but key values is treated
    /// as a key.
    /// </summary>
    public void CheckOld(PublishedRelation relation)
    {
        KeyColumns = null;
        if (relation.PartialKeys is not { Count: > 0 } keys || WholeOld is not { } old)
            return;
        foreach (var key in keys)
        {
            if (!HasOnly(old, key))
                continue;
            (OldIsKey, KeyColumns) = (true, key);
            return;
        }
    }

    /// <summary>The key columns of the partition, if the old row is that key; null means the table's own key.</summary>
    public bool[]? KeyColumns { get; private set; }

    private static bool HasOnly(TupleData row, bool[] key)
    {
        for (var i = 0; i < row.Count; i++)
        {
            if (row.State(i) != ColumnState.Null && (i >= key.Length || !key[i]))
                return false;
        }
        return true;
    }

    /// <summary>Sets a change whose rows could not be written.</summary>
    public void Unreadable(RowOperations operation)
    {
        Truncated();
        Operation = operation;
    }

    /// <summary>Sets a TRUNCATE, which has no rows.</summary>
    public void Truncated()
    {
        Operation = RowOperations.Truncate;
        OldIsKey = false;
        KeyColumns = null;
        Old.Clear();
        New.Clear();
    }

    /// <summary>Whether an UPDATE changed a column's value, as far as is known.</summary>
    public bool Changed(ReadOnlySpan<byte> message, int column)
    {
        if (New.State(column) == ColumnState.Unchanged || WholeOld is not { } old)
            return false;
        return old.State(column) != New.State(column) || !old.Text(message, column).SequenceEqual(New.Text(message, column));
    }

    /// <summary>Whether an UPDATE may have changed a column's value: it did, or the old value is unknown.</summary>
    public bool MayHaveChanged(ReadOnlySpan<byte> message, int column) =>
        WholeOld is null ? New.State(column) != ColumnState.Unchanged : Changed(message, column);

    /// <summary>A hash of some columns' values: of the new row, or for a DELETE of the old row.</summary>
    public long Key(ReadOnlySpan<byte> message, int[] columns, int seed)
    {
        // FNV-1a: every sidecar and every version must compute the same value.
        const ulong offset = 14695981039346656037,
            prime = 1099511628211;
        var hash = (offset ^ (uint)seed) * prime;
        foreach (var column in columns)
        {
            var row = HasNew ? New : Old;
            if (row.State(column) == ColumnState.Unchanged && WholeOld is { } old)
                row = old;
            hash = (hash ^ (byte)row.State(column)) * prime;
            foreach (var one in row.Text(message, column))
                hash = (hash ^ one) * prime;
        }
        return (long)hash;
    }
}
