using System.Buffers;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>An event on its way into the inbox. Its payload lies in the chunk's buffer.</summary>
internal readonly record struct InboxEvent(
    Guid Id, DateTime OccurredAt, int TriggerId, string Trigger, string Function, long? OrderKey, ulong Xid, Range Payload, string Caller, short Depth)
{
    /// <summary>The function that evaluates the trigger's condition, or null.</summary>
    public string? Condition { get; init; }

    /// <summary>Old and new row as objects of texts, for the trigger's condition; empty where there is none to ask.</summary>
    public (Range Old, Range New)? Texts { get; init; }

    /// <summary>What the trigger's condition failed with: the event becomes a dead letter.</summary>
    public string? ConditionError { get; init; }
}

/// <summary>
/// A transaction's events, or a part of them: a large transaction comes in several chunks, of which only the last one ends it.
/// </summary>
internal sealed class InboxChunk : IDisposable
{
    private const int FirstSize = 4096;

    private readonly PooledWriter buffer = new(FirstSize);

    /// <summary>The events, in the order of the changes.</summary>
    public List<InboxEvent> Events { get; } = [];

    /// <summary>Where the payloads are written to.</summary>
    public PooledWriter Buffer => buffer;

    /// <summary>Where the transaction's commit record is.</summary>
    public ulong CommitLsn { get; set; }

    /// <summary>Whether the transaction ends with it.</summary>
    public bool EndsTransaction { get; set; }

    /// <summary>Where the transaction's commit record ends: what is acknowledged once it is in the inbox.</summary>
    public ulong EndLsn { get; set; }

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
