using System.Threading.Channels;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Npgsql.Replication;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>What the tasks of a <see cref="WalFeed"/> share while it runs.</summary>
/// <param name="connection">The replication connection.</param>
/// <param name="decoder">Decodes its messages.</param>
internal sealed class FeedSession(LogicalReplicationConnection connection, WalDecoder decoder)
{
    /// <summary>The most chunks that are decoded and not stored yet; decoding then waits.</summary>
    public const int ChunksAhead = 64;

    private readonly Channel<InboxChunk> chunks = Channel.CreateBounded<InboxChunk>(
        new BoundedChannelOptions(ChunksAhead)
        {
            SingleReader = true,
            SingleWriter = true,
            FullMode = BoundedChannelFullMode.Wait,
        }
    );

    private int pending;

    /// <summary>The replication connection.</summary>
    public LogicalReplicationConnection Connection => connection;

    /// <summary>Decodes its messages.</summary>
    public WalDecoder Decoder => decoder;

    /// <summary>What is decoded and not stored yet.</summary>
    public Channel<InboxChunk> Chunks => chunks;

    /// <summary>Whether anything was read that is not acknowledged yet.</summary>
    public bool IsPending => Volatile.Read(ref pending) != 0;

    /// <summary>Chunks that the storing task has taken and that are not acknowledged yet.</summary>
    public int Taken { get; set; }

    /// <summary>Creates a chunk, which is pending from then on.</summary>
    public InboxChunk Begin()
    {
        Interlocked.Increment(ref pending);
        return new InboxChunk();
    }

    /// <summary>Splits a chunk in two; the second one contains the transaction that has not ended.</summary>
    public InboxChunk Split(InboxChunk chunk)
    {
        Interlocked.Increment(ref pending);
        return chunk.SplitOpenTransaction();
    }

    /// <summary>Acknowledges everything that was taken, which is now on disk.</summary>
    public void Acknowledge(ulong lsn)
    {
        connection.SetReplicationStatus(new NpgsqlLogSequenceNumber(lsn));
        Interlocked.Add(ref pending, -Taken);
        Taken = 0;
    }

    /// <summary>Drops the chunks that nothing has taken.</summary>
    public void Clear()
    {
        while (chunks.Reader.TryRead(out var chunk))
            chunk.Dispose();
    }
}
