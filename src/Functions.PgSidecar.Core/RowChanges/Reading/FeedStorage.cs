using System.Threading.Channels;
using Functions.PgSidecar.Core.Events;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>
/// The half of a <see cref="WalFeed"/> that stores: it writes what has been decoded meanwhile to the inbox, and acknowledges to the server
/// what is on disk.
/// </summary>
/// <param name="session">What it shares with the half that decodes.</param>
/// <param name="owner">Pauses it.</param>
/// <param name="time">The clock of its pauses.</param>
internal sealed class FeedStorage(FeedSession session, IFeedOwner owner, TimeProvider time)
{
    private const int GroupEvents = 4000;
    private const int GroupBytes = 4 << 20;

    /// <summary>More transactions in one pass than a single client commits one after another.</summary>
    private const int BusyTransactions = 4;

    /// <summary>How long stored events stay unacknowledged, so that not every commit has to wait for the disk.</summary>
    private static readonly TimeSpan FlushInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>Stores until the other half ends.</summary>
    public async Task StoreAsync(InboxWriter inbox, CancellationToken cancellationToken)
    {
        var reader = session.Chunks.Reader;
        var group = new List<InboxChunk>();
        var pace = new Pace(time);
        var unflushedSince = time.GetTimestamp();
        while (true)
        {
            var more = reader.WaitToReadAsync(cancellationToken).AsTask();
            if (
                !more.IsCompleted
                && inbox.Stored is not null
                && await Task.WhenAny(more, Task.Delay(FlushInterval, time, cancellationToken)).ConfigureAwait(false) != more
            )
                session.Acknowledge(await inbox.FlushAsync(cancellationToken).ConfigureAwait(false));
            if (!await more.ConfigureAwait(false))
                return;
            await owner.WaitForCapacityAsync(cancellationToken).ConfigureAwait(false);
            // If all possible chunks have arrived, or a large transaction is in progress, waiting would bring no more.
            await pace.NextAsync(() => reader.Count >= FeedSession.ChunksAhead / 2, cancellationToken).ConfigureAwait(false);
            TakeGroup(reader, group);
            session.Taken += group.Count;
            if (inbox.Stored is null)
                unflushedSince = time.GetTimestamp();
            if (
                await inbox
                    .WriteAsync(group, time.GetElapsedTime(unflushedSince) > FlushInterval, cancellationToken)
                    .ConfigureAwait(false) is
                { } lsn
            )
                session.Acknowledge(lsn);
            pace.Ended(isBusy: group.Sum(chunk => chunk.Transactions) >= BusyTransactions);
            foreach (var chunk in group)
                chunk.Dispose();
            group.Clear();
        }
    }

    /// <summary>
    /// Acknowledges WAL that others wrote while nothing of ours is in progress. Without this, a quiet table on a busy server would retain
    /// the WAL forever. The position is read first: by the time of the check, everything before it has been passed on.
    /// </summary>
    public async Task AcknowledgeIdleAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(WalFeed.StatusInterval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            var received = session.Connection.LastReceivedLsn;
            if (!session.IsPending && (ulong)received > (ulong)session.Connection.LastFlushedLsn)
                session.Connection.SetReplicationStatus(received);
        }
    }

    /// <summary>Takes the chunks that have arrived: short transactions, or parts of a long one.</summary>
    private static void TakeGroup(ChannelReader<InboxChunk> reader, List<InboxChunk> group)
    {
        var (events, bytes) = (0, 0);
        while (events < GroupEvents && bytes < GroupBytes && reader.TryRead(out var chunk))
        {
            group.Add(chunk);
            events += chunk.Events.Count;
            bytes += chunk.Buffer.Length;
        }
    }
}
