using System.Buffers;
using System.Collections.Frozen;
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
/// with an exception, whatever it is that ended it; what was not acknowledged comes again, and what was stored is not stored twice. Runs once at a time.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="connectionString">The same, as the replication connection needs it.</param>
/// <param name="sidecar">This sidecar.</param>
/// <param name="conditions">Evaluates the conditions of triggers.</param>
/// <param name="time">The clock of the pauses.</param>
public sealed class WalFeed(NpgsqlDataSource dataSource, string connectionString, Guid sidecar, ConditionEvaluator conditions, TimeProvider time)
{
    /// <summary>What values look like does not depend on what the server, the database or the role prefer.</summary>
    private const string SessionSettings =
        "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex -c extra_float_digits=1 -c client_encoding=UTF8";

    private const int ChunkEvents = 1000;

    /// <summary>Of small transactions that come one upon the other: what has ended should not wait for much more.</summary>
    private const int EndedEvents = 250;
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
    private readonly CaptureStore captures = new(dataSource);

    /// <summary>
    /// Whether something came that was stored though the position said otherwise: somebody has set the slot or the position back. From then on, until the process
    /// ends, each event is looked at.
    /// </summary>
    private bool isSetBack;

    /// <summary>Whether something came that the database does not take. From then on, until the process ends, it is asked about each event before it is stored.</summary>
    private bool isWary;

    /// <summary>
    /// Whether changes are read from before the publication <c>functions_events_changes</c> was made: asked for by name, it would not exist for them. They were
    /// published by the other one. The migration that made it says in the WAL from where on there are two.
    /// </summary>
    private bool isBeforeChanges;

    /// <summary>Whether the next reading begins with one publication: the other one did not exist yet for what comes first.</summary>
    public bool ReadsBeforeChanges => isBeforeChanges;

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
            new TypeCatalog(dataSource), new TableCatalog(dataSource), await ContextKey.LoadAsync(dataSource, cancellationToken).ConfigureAwait(false),
            await NextTransactionAsync(cancellationToken).ConfigureAwait(false));
        decoder.Attach(await triggers.LoadHistoryAsync(cancellationToken).ConfigureAwait(false));

        await CheckCaptureAsync(decoder, cancellationToken).ConfigureAwait(false);

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lull = ReplicationSocket.Find(connection) is { } socket ? new ReadingLull(socket, time) : null;
        var session = new FeedSession(connection, decoder, lull, Channel.CreateBounded<InboxChunk>(
            new BoundedChannelOptions(ChunksAhead) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait }));
        var reading = ReadAsync(session, slot, ending.Token);
        List<Task> tasks = [reading, StoreAsync(session, reading, system.SystemId, sink, ending.Token), AcknowledgeIdleAsync(session, ending.Token), WatchCaptureAsync(decoder, ending.Token)];
        if (lull is not null) tasks.Add(lull.RunAsync(ending.Token));
        var first = await Task.WhenAny(tasks).ConfigureAwait(false);
        isSetBack |= first.Exception?.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, SchemaName: "functions_private" };
        isWary |= PayloadFilter.IsOfData(first.Exception?.InnerException);
        isBeforeChanges = !decoder.SawPublications && (isBeforeChanges || IsOfChanges(first.Exception?.InnerException))
            && await store.MayPrecedeChangesAsync(CancellationToken.None).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(tasks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        session.Clear();
        await first.ConfigureAwait(false);
    }

    private static bool IsOfChanges(Exception? exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.UndefinedObject } missing && missing.MessageText.Contains("functions_events_changes", StringComparison.Ordinal);

    private sealed class FeedSession(LogicalReplicationConnection connection, WalDecoder decoder, ReadingLull? lull, Channel<InboxChunk> chunks)
    {
        private int pending;

        public LogicalReplicationConnection Connection => connection;

        public WalDecoder Decoder => decoder;

        public ReadingLull? Lull => lull;

        public Channel<InboxChunk> Chunks => chunks;

        /// <summary>Whether anything has been read that is not acknowledged yet.</summary>
        public bool IsPending => Volatile.Read(ref pending) != 0;

        /// <summary>Chunks that the storing task has taken and are not acknowledged yet.</summary>
        public int Taken { get; set; }

        /// <summary>A new chunk, which is pending from now on.</summary>
        public InboxChunk Begin()
        {
            Interlocked.Increment(ref pending);
            return new InboxChunk();
        }

        /// <summary>Two chunks of one, the second one with what has not ended.</summary>
        public InboxChunk Split(InboxChunk chunk)
        {
            Interlocked.Increment(ref pending);
            return chunk.SplitOpenTransaction();
        }

        /// <summary>All that was taken is on disk.</summary>
        public void Acknowledge(ulong lsn)
        {
            connection.SetReplicationStatus(new NpgsqlLogSequenceNumber(lsn));
            Interlocked.Add(ref pending, -Taken);
            Taken = 0;
        }

        public void Clear()
        {
            while (chunks.Reader.TryRead(out var chunk)) chunk.Dispose();
        }
    }

    /// <summary>
    /// Decodes. What has been decoded goes to the inbox when there is nothing more to read at the moment, or when it is much. Whatever a message says is
    /// pending before the next message is asked for; the rule for idle acknowledgements counts on it.
    /// </summary>
    private async Task ReadAsync(FeedSession session, string slotName, CancellationToken cancellationToken)
    {
        var slot = new PgOutputReplicationSlot(slotName);
        KeyValuePair<string, string?>[] options =
            [new("proto_version", "2"), new("publication_names", isBeforeChanges ? "functions_events" : "functions_events,functions_events_changes"), new("messages", "true")];
        var decoder = session.Decoder;
        var writer = session.Chunks.Writer;
        InboxChunk? chunk = null;
        var buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        try
        {
            var stream = session.Connection.StartLogicalReplication(slot, cancellationToken, options: options).ConfigureAwait(false);
            await using var messages = stream.GetAsyncEnumerator();
            while (true)
            {
                // Room first: while a message is waited for, nothing else can be.
                if (chunk is { EndsTransaction: true }) await writer.WaitToWriteAsync(cancellationToken).ConfigureAwait(false);
                var next = messages.MoveNextAsync();
                if (chunk is { EndsTransaction: true } && !next.GetAwaiter().IsCompleted && writer.TryWrite(chunk)) chunk = null;
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
                if (!decoder.InTransaction && !WalDecoder.IsBegin(data.Span)) continue; // of no transaction, so of no interest
                chunk ??= session.Begin();
                if (WalDecoder.IsDescription(data.Span))
                {
                    chunk = await WriteEndedAsync(session, chunk, cancellationToken).ConfigureAwait(false);
                    await DescribeAsync(decoder, data, cancellationToken).ConfigureAwait(false);
                    continue;
                }
                if (decoder.ReadCarried(data.Span))
                {
                    chunk = await WriteEndedAsync(session, chunk, cancellationToken).ConfigureAwait(false);
                    await DescribeCarriedAsync(decoder, cancellationToken).ConfigureAwait(false);
                }
                var ended = decoder.Apply(data.Span, chunk!);
                session.Lull?.Count(ended);
                if (ended && decoder.TriggersChanged)
                {
                    chunk = await WriteEndedAsync(session, chunk!, cancellationToken).ConfigureAwait(false);
                    await ReloadAsync(decoder, cancellationToken).ConfigureAwait(false);
                }
                if (ended && isBeforeChanges && decoder.SawPublications)
                {
                    if (chunk is not null) await writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
                    chunk = null;
                    await IsAcknowledgedAsync(session, cancellationToken).ConfigureAwait(false);
                    throw new NpgsqlException("Changes are published by two publications from here on; reading goes on with both.");
                }
                if (chunk is not null && IsFull(chunk))
                    chunk = await WriteFullAsync(session, chunk, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            chunk?.Dispose();
            ArrayPool<byte>.Shared.Return(buffer);
        }
        throw new NpgsqlException("The server has ended the replication stream.");
    }

    private static bool IsFull(InboxChunk chunk) =>
        chunk.Events.Count >= (chunk.EndsTransaction ? EndedEvents : ChunkEvents) || chunk.Buffer.Length >= ChunkBytes;

    private static async ValueTask<InboxChunk?> WriteFullAsync(FeedSession session, InboxChunk chunk, CancellationToken cancellationToken)
    {
        if (chunk.Transactions > 0) return await WriteEndedAsync(session, chunk, cancellationToken).ConfigureAwait(false);
        await session.Chunks.Writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <summary>Has the transactions that have ended go on by themselves: what comes next may take a while.</summary>
    /// <returns>What there is of the one that has not ended.</returns>
    private static async ValueTask<InboxChunk?> WriteEndedAsync(FeedSession session, InboxChunk chunk, CancellationToken cancellationToken)
    {
        if (chunk.Transactions == 0) return chunk;
        var open = chunk.EndsTransaction ? null : session.Split(chunk);
        await session.Chunks.Writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
        return open;
    }

    /// <summary>A type that the transaction itself has made can be looked up once the transaction is visible.</summary>
    private async Task DescribeAsync(WalDecoder decoder, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (!await decoder.DescribeAsync(message, cancellationToken).ConfigureAwait(false))
        {
            await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
            await decoder.DescribeAsync(message, cancellationToken).ConfigureAwait(false);
        }
        // Disabling or dropping a trigger makes the server describe the table again, before the next change.
        await CheckCaptureAsync(decoder, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Looks which tables can be written to without capturing the writer.</summary>
    private async Task CheckCaptureAsync(WalDecoder decoder, CancellationToken cancellationToken) =>
        decoder.CaptureGaps = (await captures.GapsAsync(cancellationToken).ConfigureAwait(false)).Select(gap => gap.Relation).ToFrozenSet();

    /// <summary>The same from time to time: of a table above the one that stores the rows the stream says nothing.</summary>
    private async Task WatchCaptureAsync(WalDecoder decoder, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(StatusInterval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false)) await CheckCaptureAsync(decoder, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The same for a change that a row trigger carries: its types.</summary>
    private async Task DescribeCarriedAsync(WalDecoder decoder, CancellationToken cancellationToken)
    {
        if (await decoder.DescribeCarriedAsync(isVisible: false, cancellationToken).ConfigureAwait(false)) return;
        await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
        await decoder.DescribeCarriedAsync(isVisible: true, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until all that was read is on disk, and the server knows.</summary>
    private async Task IsAcknowledgedAsync(FeedSession session, CancellationToken cancellationToken)
    {
        while (session.IsPending) await Task.Delay(Pulse, time, cancellationToken).ConfigureAwait(false);
        await session.Connection.SendStatusUpdate(cancellationToken).ConfigureAwait(false);
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
        await store.EndFormerInboxesAsync(cancellationToken).ConfigureAwait(false);
        var (epoch, storedLsn) = await store.LeadAsync(sidecar, systemId, cancellationToken).ConfigureAwait(false);
        sink.Leading(epoch);
        await using var inbox = new InboxWriter(dataSource, conditions, sidecar, epoch, storedLsn, isSetBack, isWary, sink);
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
            pace.Ended(isBusy: group.Sum(chunk => chunk.Transactions) >= BusyTransactions);
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
            if (!session.IsPending && (ulong)received > (ulong)session.Connection.LastFlushedLsn)
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
        Options = OwnSessions.With(null) + " " + SessionSettings,
        Pooling = false,
        KeepAlive = 0,
    }.ConnectionString;
}
