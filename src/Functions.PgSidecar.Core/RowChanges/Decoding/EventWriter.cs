using System.Globalization;
using System.Text.Json;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Replication;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>The parts of an event besides the rows.</summary>
internal readonly record struct EventSource(
    Guid Id,
    WalTransaction Transaction,
    PublishedRelation Relation,
    RelationTrigger Trigger,
    CapturedContext? Context
)
{
    /// <summary>Whether the row existed before the trigger (a backfill).</summary>
    public bool IsBackfill { get; init; }
}

/// <summary>
/// A change can't be written as an event: a value is too long for JSON, or does not have the format of its type. The cause is the change,
/// so a retry does not help; the WAL reader continues after it.
/// </summary>
internal sealed class UnreadableChangeException(Exception cause) : Exception(cause.Message, cause)
{
    /// <summary>Whether an exception is caused by the change, and not by the process.</summary>
    public static bool IsCause(Exception exception) => exception is not (OutOfMemoryException or UnreadableChangeException);
}

/// <summary>Writes the payloads of events: everything that the function receives, except the attempt's number.</summary>
internal sealed class EventWriter : IDisposable
{
    /// <summary>Half of the largest value that PostgreSQL can store.</summary>
    private const int MaxPayloadBytes = 512 << 20;

    private readonly Utf8JsonWriter json = new(Stream.Null, RowWriter.Options);

    public void Dispose() => json.Dispose();

    /// <summary>Writes an event's payload.</summary>
    /// <returns>Its range in the buffer.</returns>
    /// <exception cref="UnreadableChangeException">A value can't be written as JSON; the buffer is unchanged.</exception>
    public Range Write(PooledWriter buffer, in EventSource source, ReadOnlySpan<byte> message, RowChange change)
    {
        var start = buffer.Length;
        try
        {
            WritePayload(buffer, source, message, change);
            if (buffer.Length - start > MaxPayloadBytes)
                throw new InvalidOperationException($"It would have more than {MaxPayloadBytes} bytes.");
        }
        catch (Exception e) when (UnreadableChangeException.IsCause(e))
        {
            buffer.Truncate(start);
            throw new UnreadableChangeException(e);
        }
        return start..buffer.Length;
    }

    /// <summary>Writes the payload of an event whose change can't be read.</summary>
    public static Range WriteUnreadable(PooledWriter buffer, Guid id, string trigger)
    {
        var start = buffer.Length;
        using var json = new Utf8JsonWriter(buffer, RowWriter.Options);
        json.WriteStartObject();
        json.WriteString("trigger"u8, TriggerKind.Database.Name());
        json.WriteString("event_id"u8, id);
        json.WriteString("trigger_name"u8, trigger);
        json.WriteBoolean("unreadable"u8, true);
        json.WriteEndObject();
        json.Flush();
        return start..buffer.Length;
    }

    private void WritePayload(PooledWriter buffer, in EventSource source, ReadOnlySpan<byte> message, RowChange change)
    {
        json.Reset(buffer);
        json.WriteStartObject();
        json.WriteString("trigger"u8, TriggerKind.Database.Name());
        json.WriteString("event_id"u8, source.Id);
        json.WriteString("trigger_name"u8, source.Trigger.JsonName);
        json.WriteString("schema"u8, source.Relation.Schema);
        json.WriteString("table"u8, source.Relation.Name);
        json.WriteString(source.Trigger.Names.Operation, Name(change.Operation));
        WriteRows(source.Trigger.Names, source.Relation, message, change);
        WriteTransaction(source.Transaction);
        json.WritePropertyName("claims"u8);
        if (source.Context?.ClaimsJson is { } claims)
            json.WriteRawValue(claims, skipInputValidation: true);
        else
            json.WriteNullValue();
        if (source.IsBackfill)
            json.WriteBoolean("backfill"u8, true);
        json.WriteEndObject();
        json.Flush();
    }

    /// <summary>Writes the old and the new row as objects of texts.</summary>
    /// <exception cref="UnreadableChangeException">A value can't be written as JSON; the buffer is unchanged.</exception>
    public (Range Old, Range New) WriteTexts(PooledWriter buffer, PublishedRelation relation, ReadOnlySpan<byte> message, RowChange change)
    {
        var start = buffer.Length;
        try
        {
            return (
                WriteTexts(buffer, relation, message, change.Old, null),
                WriteTexts(buffer, relation, message, change.New, change.WholeOld)
            );
        }
        catch (Exception e) when (UnreadableChangeException.IsCause(e))
        {
            buffer.Truncate(start);
            throw new UnreadableChangeException(e);
        }
    }

    private Range WriteTexts(
        PooledWriter buffer,
        PublishedRelation relation,
        ReadOnlySpan<byte> message,
        TupleData row,
        TupleData? fallback
    )
    {
        var start = buffer.Length;
        if (row.Count == 0)
            return start..start;
        json.Reset(buffer);
        RowWriter.WriteTexts(json, relation, message, row, fallback);
        json.Flush();
        return start..buffer.Length;
    }

    private void WriteRows(PayloadNames names, PublishedRelation relation, ReadOnlySpan<byte> message, RowChange change)
    {
        json.WritePropertyName(names.Old);
        if (change.HasOld)
            RowWriter.Write(json, relation, message, change.Old, null, change.OldIsKey, change.KeyColumns);
        else
            json.WriteNullValue();
        json.WritePropertyName(names.New);
        if (change.HasNew)
            RowWriter.Write(json, relation, message, change.New, change.WholeOld, keyOnly: false);
        else
            json.WriteNullValue();
        if (change.HasOld)
            json.WriteString("old_columns"u8, change.OldIsKey ? "key"u8 : "all"u8);
        if (change.HasNew)
            RowWriter.WriteUnknown(json, relation, change.New, change.WholeOld);
        if (change.WholeOld is not null && change.HasNew)
            WriteChanged(relation, message, change);
    }

    private void WriteChanged(PublishedRelation relation, ReadOnlySpan<byte> message, RowChange change)
    {
        json.WriteStartArray("changed_columns"u8);
        for (var i = 0; i < relation.Columns.Length; i++)
        {
            if (change.Changed(message, i))
                json.WriteStringValue(relation.Columns[i].JsonName);
        }
        json.WriteEndArray();
    }

    private void WriteTransaction(in WalTransaction transaction)
    {
        Span<char> text = stackalloc char[32];
        transaction.CommittedAt.TryFormat(text, out var length, "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        json.WriteString("timestamp"u8, text[..length]);
        json.WriteNumber("transaction_id"u8, transaction.FullXid);
        text.TryWrite(CultureInfo.InvariantCulture, $"{transaction.CommitLsn >> 32:X}/{(uint)transaction.CommitLsn:X}", out length);
        json.WriteString("commit_lsn"u8, text[..length]);
    }

    private static ReadOnlySpan<byte> Name(RowOperations operation) =>
        operation switch
        {
            RowOperations.Insert => "INSERT"u8,
            RowOperations.Update => "UPDATE"u8,
            RowOperations.Delete => "DELETE"u8,
            _ => "TRUNCATE"u8,
        };
}
