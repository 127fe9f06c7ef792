using System.Buffers;
using System.Globalization;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;

namespace Functions.PgSidecar.Core.Events;

/// <summary>An event on its way into the inbox. Its payload is in the chunk's buffer.</summary>
internal readonly record struct InboxEvent(
    Guid Id,
    DateTime OccurredAt,
    int TriggerId,
    string Trigger,
    string Function,
    long? OrderKey,
    ulong Xid,
    Range Payload,
    string Caller,
    short Depth
)
{
    /// <summary>The position of the transaction's commit record.</summary>
    public ulong CommitLsn => EventId.CommitLsn(Id);

    /// <summary>The trigger's condition, or null.</summary>
    public ConditionQuestion? Condition { get; init; }

    /// <summary>Old and new row as objects of texts, for the trigger's condition; null if it has none.</summary>
    public (Range Old, Range New)? Texts { get; init; }

    /// <summary>The rows that the condition was evaluated for, as a dead letter stores them; null if there is no condition.</summary>
    public string? ConditionRows(InboxChunk chunk) =>
        Condition is { } question && Texts is { } texts
            ? ConditionRecord.Write(question.Relation, chunk.Slice(texts.Old), chunk.Slice(texts.New))
            : null;

    /// <summary>Why the event can't be delivered; it becomes a dead letter at once.</summary>
    public EventFault? Fault { get; init; }

    /// <summary>The same event, reduced to what could be read. Its caller has no privileges, because the real one may be unknown.</summary>
    public InboxEvent Unreadable(PooledWriter buffer, string why) =>
        this with
        {
            Payload = EventWriter.WriteUnreadable(buffer, Id, Trigger),
            Caller = CapturedContext.Unreadable.Caller(null),
            Condition = null,
            Texts = null,
            Fault = new EventFault(
                "EVENT_UNREADABLE",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The change at {CommitLsn >> 32:X}/{(uint)CommitLsn:X} can't " + $"be written as an event: {why}"
                )
            ),
        };

    /// <summary>The same event, for a buffer in which its data is at a different offset.</summary>
    public InboxEvent Moved(int bytes) =>
        this with
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
/// The events of several small transactions, or a part of a large one. A large transaction spans several chunks; only the last of them ends
/// it.
/// </summary>
internal sealed class InboxChunk : IDisposable
{
    private const int FirstSize = 4096;

    private readonly PooledWriter buffer = new(FirstSize);
    private int endedEvents;
    private int endedBytes;

    /// <summary>The events, in the order of the changes.</summary>
    public List<InboxEvent> Events { get; } = [];

    /// <summary>The buffer for the payloads.</summary>
    public PooledWriter Buffer => buffer;

    /// <summary>The number of transactions that end in this chunk.</summary>
    public int Transactions { get; private set; }

    /// <summary>Whether the chunk ends with a transaction's end, so that no part of another one follows.</summary>
    public bool EndsTransaction { get; private set; }

    /// <summary>
    /// The end of the commit record of the last transaction that ends in this chunk; acknowledged once the chunk is in the inbox.
    /// </summary>
    public ulong EndLsn { get; private set; }

    /// <summary>Starts the next transaction.</summary>
    public void BeginTransaction() => EndsTransaction = false;

    /// <summary>Ends the current transaction.</summary>
    public void EndTransaction(ulong endLsn)
    {
        (endedEvents, endedBytes) = (Events.Count, buffer.Length);
        EndLsn = endLsn;
        EndsTransaction = true;
        Transactions++;
    }

    /// <summary>
    /// Moves the part of the transaction that has not ended into a new chunk. This chunk then ends with the transaction before it.
    /// </summary>
    /// <returns>The new chunk.</returns>
    public InboxChunk SplitOpenTransaction()
    {
        var open = new InboxChunk();
        buffer.Written.Span[endedBytes..].CopyTo(open.buffer.GetSpan(buffer.Length - endedBytes));
        open.buffer.Advance(buffer.Length - endedBytes);
        foreach (var one in Events.Skip(endedEvents))
            open.Events.Add(one.Moved(-endedBytes));
        Events.RemoveRange(endedEvents, Events.Count - endedEvents);
        EndsTransaction = true;
        return open;
    }

    /// <summary>The part of the buffer in a range.</summary>
    public ReadOnlyMemory<byte> Slice(Range range) => buffer.Written[range];

    public void Dispose() => buffer.Dispose();
}

/// <summary>A growing buffer from the shared pool.</summary>
internal sealed class PooledWriter(int firstSize) : IBufferWriter<byte>, IDisposable
{
    private byte[] bytes = ArrayPool<byte>.Shared.Rent(firstSize);

    /// <summary>The number of bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>The bytes written.</summary>
    public ReadOnlyMemory<byte> Written => bytes.AsMemory(0, Length);

    public void Advance(int count) => Length += count;

    /// <summary>Discards what was written after a length.</summary>
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
        if (bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(bytes);
        bytes = [];
        Length = 0;
    }

    private void Ensure(int more)
    {
        more = Math.Max(more, 256);
        if (bytes.Length - Length >= more)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(
            checked((int)Math.Min(Array.MaxLength, Math.Max((long)bytes.Length * 2, (long)Length + more)))
        );
        bytes.AsSpan(0, Length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(bytes);
        bytes = larger;
    }
}
