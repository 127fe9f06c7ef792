using System.Buffers;
using System.Globalization;
using System.Threading.Channels;
using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.Internal;
using Npgsql.Replication.PgOutput;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// Reads the WAL and fills the inbox: one task decodes, another stores what has been decoded meanwhile and acknowledges what is on disk. Ends
/// with an exception, whatever it is that ended it; what was not acknowledged comes again, and what was stored is not stored twice.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="connectionString">The same, as the replication connection needs it.</param>
/// <param name="sidecar">This sidecar.</param>
/// <param name="time">The clock of the pauses.</param>
public sealed class WalFeed(NpgsqlDataSource dataSource, string connectionString, Guid sidecar, TimeProvider time)
{
    /// <summary>What values look like does not depend on what the server, the database or the role prefer.</summary>
    private const string SessionSettings =
        "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=1 -c client_encoding=UTF8";

    private const int ChunkEvents = 1000;
    private const int ChunkBytes = 1 << 20;
    private const int GroupEvents = 4000;
    private const int GroupBytes = 4 << 20;
    private const int ChunksAhead = 64;

    /// <summary>So many transactions in one pass are more than one client's, one after the other.</summary>
    private const int BusyTransactions = 4;
    private static readonly TimeSpan StatusInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(5);

    /// <summary>How long what is stored stays unacknowledged, so that not every commit has to wait for the disk.</summary>
    private static readonly TimeSpan FlushInterval = TimeSpan.FromMilliseconds(200);

    private readonly ReplicationStore store = new(dataSource);
    private readonly TriggerStore triggers = new(dataSource);

    /// <summary>Reads until it is cancelled or fails.</summary>
    /// <param name="slot">The slot's name.</param>
    /// <param name="sink">Who hears of the events.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(string slot, IFeedSink sink, CancellationToken cancellationToken)
    {
        await using var connection = new LogicalReplicationConnection(ReplicationConnectionString())
        {
            WalReceiverStatusInterval = StatusInterval,
            WalReceiverTimeout = TimeSpan.FromSeconds(60),
        };
        await connection.Open(cancellationToken).ConfigureAwait(false);
        var system = await connection.IdentifySystem(cancellationToken).ConfigureAwait(false);
        using var decoder = new WalDecoder(
            new TypeCatalog(dataSource), await ContextKey.LoadAsync(dataSource, cancellationToken).ConfigureAwait(false),
            await NextTransactionAsync(cancellationToken).ConfigureAwait(false));
        decoder.Attach(await triggers.LoadHistoryAsync(cancellationToken).ConfigureAwait(false));

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var session = new FeedSession(connection, decoder, Channel.CreateBounded<InboxChunk>(
            new BoundedChannelOptions(ChunksAhead) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait }));
        var reading = ReadAsync(session, slot, ending.Token);
        Task[] tasks = [reading, StoreAsync(session, reading, system.SystemId, sink, ending.Token), AcknowledgeIdleAsync(session, ending.Token)];
        var first = await Task.WhenAny(tasks).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(tasks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        session.Clear();
        await first.ConfigureAwait(false);
    }

    private sealed class FeedSession(LogicalReplicationConnection connection, WalDecoder decoder, Channel<InboxChunk> chunks)
    {
        public LogicalReplicationConnection Connection => connection;

        public WalDecoder Decoder => decoder;

        public Channel<InboxChunk> Chunks => chunks;

        /// <summary>Chunks that were handed over and are not acknowledged yet.</summary>
        public int Pending;

        /// <summary>Those of them that the storing task has taken.</summary>
        public int Taken { get; set; }

        /// <summary>All that was taken is on disk.</summary>
        public void Acknowledge(ulong lsn)
        {
            connection.SetReplicationStatus(new NpgsqlLogSequenceNumber(lsn));
            Interlocked.Add(ref Pending, -Taken);
            Taken = 0;
        }

        public void Clear()
        {
            while (chunks.Reader.TryRead(out var chunk)) chunk.Dispose();
        }
    }

    /// <summary>
    /// Decodes. Everything a message says is on its way to the inbox before the next message is asked for; the rule for idle
    /// acknowledgements counts on it.
    /// </summary>
    private async Task ReadAsync(FeedSession session, string slotName, CancellationToken cancellationToken)
    {
        var slot = new PgOutputReplicationSlot(slotName);
        KeyValuePair<string, string?>[] options =
            [new("proto_version", "2"), new("publication_names", "functions_events"), new("messages", "true")];
        var decoder = session.Decoder;
        var lull = new ReadingLull(time);
        var chunk = new InboxChunk();
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        try
        {
            var stream = session.Connection.StartLogicalReplication(slot, cancellationToken, options: options).ConfigureAwait(false);
            await using var messages = stream.GetAsyncEnumerator();
            while (true)
            {
                var next = messages.MoveNextAsync();
                var waited = !next.GetAwaiter().IsCompleted;
                if (!await next) break;
                var message = messages.Current;
                var length = checked((int)message.Data.Length);
                if (length > buffer.Length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(length);
                }
                var data = buffer.AsMemory(0, length);
                await message.Data.ReadExactlyAsync(data, cancellationToken).ConfigureAwait(false);
                if (WalDecoder.IsDescription(data.Span))
                {
                    await DescribeAsync(decoder, data, cancellationToken).ConfigureAwait(false);
                    continue;
                }
                var ended = decoder.Apply(data.Span, chunk);
                if (!ended && chunk.Events.Count < ChunkEvents && chunk.Buffer.Length < ChunkBytes) continue;
                chunk.CommitLsn = decoder.CommitLsn;
                Interlocked.Increment(ref session.Pending);
                await session.Chunks.Writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
                chunk = new InboxChunk();
                if (ended && decoder.TriggersChanged) await ReloadAsync(decoder, cancellationToken).ConfigureAwait(false);
                if (ended && waited) await lull.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            chunk.Dispose();
            ArrayPool<byte>.Shared.Return(buffer);
        }
        throw new NpgsqlException("The server has ended the replication stream.");
    }

    /// <summary>A type that the transaction itself has made can be looked up once the transaction is visible.</summary>
    private async Task DescribeAsync(WalDecoder decoder, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (await decoder.DescribeAsync(message, cancellationToken).ConfigureAwait(false)) return;
        await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
        await decoder.DescribeAsync(message, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Loads the triggers as the transaction that just ended left them.</summary>
    private async Task ReloadAsync(WalDecoder decoder, CancellationToken cancellationToken)
    {
        await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
        decoder.Attach(await triggers.LoadHistoryAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>A transaction is decoded before it can be seen: by microseconds, or as long as a synchronous standby takes.</summary>
    private async Task BecomesVisibleAsync(ulong transaction, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select pg_visible_in_snapshot($1, pg_current_snapshot())");
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Xid8, Value = transaction });
        while (!(bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!)
            await Task.Delay(Pulse, time, cancellationToken).ConfigureAwait(false);
    }

    private async Task StoreAsync(FeedSession session, Task reading, string systemId, IFeedSink sink, CancellationToken cancellationToken)
    {
        await SlotIsOursAsync(session.Connection.ProcessID, reading, cancellationToken).ConfigureAwait(false);
        var (epoch, storedLsn) = await store.LeadAsync(sidecar, systemId, cancellationToken).ConfigureAwait(false);
        sink.Leading(epoch);
        await using var inbox = new InboxWriter(dataSource, sidecar, epoch, storedLsn, sink);
        var reader = session.Chunks.Reader;
        var group = new List<InboxChunk>();
        var pace = new Pace(time);
        var unflushedSince = time.GetTimestamp();
        while (true)
        {
            var more = reader.WaitToReadAsync(cancellationToken).AsTask();
            if (!more.IsCompleted && inbox.Stored is not null
                && await Task.WhenAny(more, Task.Delay(FlushInterval, time, cancellationToken)).ConfigureAwait(false) != more)
                session.Acknowledge(await inbox.FlushAsync(cancellationToken).ConfigureAwait(false));
            if (!await more.ConfigureAwait(false)) return;
            await sink.WaitForRoomAsync(cancellationToken).ConfigureAwait(false);
            // Where all that may be ahead is there, or a large transaction under way, more would not come by waiting.
            await pace.NextAsync(() => reader.Count >= ChunksAhead / 2, cancellationToken).ConfigureAwait(false);
            TakeGroup(reader, group);
            session.Taken += group.Count;
            if (inbox.Stored is null) unflushedSince = time.GetTimestamp();
            if (await inbox.WriteAsync(group, time.GetElapsedTime(unflushedSince) > FlushInterval, cancellationToken).ConfigureAwait(false) is { } lsn)
                session.Acknowledge(lsn);
            pace.Ended(isBusy: group.Count >= BusyTransactions);
            foreach (var chunk in group) chunk.Dispose();
            group.Clear();
        }
    }

    /// <summary>What has come meanwhile: short transactions, or parts of a long one.</summary>
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

    /// <summary>Waits until the server says that the slot is this connection's; or for the reason why it won't be.</summary>
    private async Task SlotIsOursAsync(int pid, Task reading, CancellationToken cancellationToken)
    {
        while (await store.ActivePidAsync(cancellationToken).ConfigureAwait(false) != pid)
        {
            if (reading.IsCompleted) await reading.ConfigureAwait(false);
            await Task.Delay(Pulse, time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Acknowledges what others write while nothing of ours is under way; without that a quiet table in a busy server would keep the WAL for
    /// ever. The position is read first: whatever came before it has been handed over by the time the question is asked.
    /// </summary>
    private async Task AcknowledgeIdleAsync(FeedSession session, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(StatusInterval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            var received = session.Connection.LastReceivedLsn;
            if (!session.Decoder.InTransaction && Volatile.Read(ref session.Pending) == 0 && (ulong)received > (ulong)session.Connection.LastFlushedLsn)
                session.Connection.SetReplicationStatus(received);
        }
    }

    private async Task<ulong> NextTransactionAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select pg_snapshot_xmax(pg_current_snapshot())::text");
        return ulong.Parse((string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!, CultureInfo.InvariantCulture);
    }

    private string ReplicationConnectionString() => new NpgsqlConnectionStringBuilder(connectionString)
    {
        ApplicationName = "pgfn replication",
        Options = SessionSettings,
        Pooling = false,
        KeepAlive = 0,
    }.ConnectionString;
}
