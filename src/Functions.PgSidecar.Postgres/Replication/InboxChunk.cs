using System.Buffers;
using System.Globalization;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>An event on its way into the inbox. Its payload lies in the chunk's buffer.</summary>
internal readonly record struct InboxEvent(
    Guid Id, DateTime OccurredAt, int TriggerId, string Trigger, string Function, long? OrderKey, ulong Xid, Range Payload, string Caller, short Depth)
{
    /// <summary>Where the transaction's commit record is.</summary>
    public ulong CommitLsn => EventId.CommitLsn(Id);

    /// <summary>The trigger's condition, or null.</summary>
    public ConditionQuestion? Condition { get; init; }

    /// <summary>Old and new row as objects of texts, for the trigger's condition; empty where there is none to ask.</summary>
    public (Range Old, Range New)? Texts { get; init; }

    /// <summary>The rows that its condition was asked about, as a dead letter keeps them; null where there is none.</summary>
    public string? ConditionRows(InboxChunk chunk) => Condition is { } question && Texts is { } texts
        ? ConditionRecord.Write(question.Relation, chunk.Slice(texts.Old), chunk.Slice(texts.New))
        : null;

    /// <summary>Why it can't be delivered: it becomes a dead letter at once.</summary>
    public EventFault? Fault { get; init; }

    /// <summary>The same, without what can't be told of it. Nobody's privileges are lent to what is not known.</summary>
    public InboxEvent Unreadable(PooledWriter buffer, string why) => this with
    {
        Payload = EventWriter.WriteUnreadable(buffer, Id, Trigger),
        Caller = CapturedContext.Unreadable.Caller(null),
        Condition = null,
        Texts = null,
        Fault = new EventFault(
            "EVENT_UNREADABLE", string.Create(CultureInfo.InvariantCulture, $"The change at {CommitLsn >> 32:X}/{(uint)CommitLsn:X} can't be told as an event: {why}")),
    };

    /// <summary>The same, for a buffer in which what belongs to it lies elsewhere.</summary>
    public InboxEvent Moved(int bytes) => this with
    {
        Payload = Move(Payload, bytes),
        Texts = Texts is { } texts ? (Move(texts.Old, bytes), Move(texts.New, bytes)) : null,
    };

    private static Range Move(Range range, int bytes) => (range.Start.Value + bytes)..(range.End.Value + bytes);
}

/// <summary>Why an event can't be delivered.</summary>
/// <param name="Code">The dead letter's code.</param>
/// <param name="Message">What happened.</param>
internal sealed record EventFault(string Code, string Message);

/// <summary>
/// The events of small transactions that came together, or a part of a large one's: that comes in several chunks, of which only the last one ends it.
/// </summary>
internal sealed class InboxChunk : IDisposable
{
    private const int FirstSize = 4096;

    private readonly PooledWriter buffer = new(FirstSize);
    private int endedEvents;
    private int endedBytes;

    /// <summary>The events, in the order of the changes.</summary>
    public List<InboxEvent> Events { get; } = [];

    /// <summary>Where the payloads are written to.</summary>
    public PooledWriter Buffer => buffer;

    /// <summary>How many transactions end in it.</summary>
    public int Transactions { get; private set; }

    /// <summary>Whether a transaction ends with it: there is no part of another one behind.</summary>
    public bool EndsTransaction { get; private set; }

    /// <summary>Where the commit record of the last transaction that ends in it ends: what is acknowledged once it is in the inbox.</summary>
    public ulong EndLsn { get; private set; }

    /// <summary>What comes now belongs to the next transaction.</summary>
    public void BeginTransaction() => EndsTransaction = false;

    /// <summary>What came up to now is a transaction, or the last part of one.</summary>
    public void EndTransaction(ulong endLsn)
    {
        (endedEvents, endedBytes) = (Events.Count, buffer.Length);
        EndLsn = endLsn;
        EndsTransaction = true;
        Transactions++;
    }

    /// <summary>Takes the part of a transaction that has not ended out of this chunk, which ends with the one before then.</summary>
    /// <returns>That part.</returns>
    public InboxChunk SplitOpenTransaction()
    {
        var open = new InboxChunk();
        buffer.Written.Span[endedBytes..].CopyTo(open.buffer.GetSpan(buffer.Length - endedBytes));
        open.buffer.Advance(buffer.Length - endedBytes);
        foreach (var one in Events.Skip(endedEvents)) open.Events.Add(one.Moved(-endedBytes));
        Events.RemoveRange(endedEvents, Events.Count - endedEvents);
        EndsTransaction = true;
        return open;
    }

    /// <summary>The part of the buffer that a range names.</summary>
    public ReadOnlyMemory<byte> Slice(Range range) => buffer.Written[range];

    public void Dispose() => buffer.Dispose();
}

/// <summary>A growing buffer of the shared pool.</summary>
internal sealed class PooledWriter(int firstSize) : IBufferWriter<byte>, IDisposable
{
    private byte[] bytes = ArrayPool<byte>.Shared.Rent(firstSize);

    /// <summary>How much has been written.</summary>
    public int Length { get; private set; }

    /// <summary>What has been written.</summary>
    public ReadOnlyMemory<byte> Written => bytes.AsMemory(0, Length);

    public void Advance(int count) => Length += count;

    /// <summary>Takes back what was written after a length.</summary>
    public void Truncate(int length) => Length = length;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(sizeHint);
        return bytes.AsSpan(Length);
    }

    public void Dispose()
    {
        if (bytes.Length > 0) ArrayPool<byte>.Shared.Return(bytes);
        bytes = [];
        Length = 0;
    }

    private void Ensure(int more)
    {
        more = Math.Max(more, 256);
        if (bytes.Length - Length >= more) return;
        var larger = ArrayPool<byte>.Shared.Rent(checked((int)Math.Min(Array.MaxLength, Math.Max((long)bytes.Length * 2, (long)Length + more))));
        bytes.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(bytes);
        bytes = larger;
    }
}
