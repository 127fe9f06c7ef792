using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.Internal;
using Npgsql.Replication.PgOutput;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Reading;

/// <summary>
/// Reads the WAL and fills the inbox: one task decodes, another stores what has been decoded meanwhile (<see cref="FeedStorage"/>). Always
/// ends with an exception. What was not acknowledged is read again, and what was stored is not stored twice. Runs once at a time.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="connectionString">The connection string for the replication connection, to the same database.</param>
/// <param name="sidecar">This sidecar.</param>
/// <param name="conditions">Evaluates the conditions of triggers.</param>
/// <param name="time">The clock of the pauses.</param>
public sealed class WalFeed(
    NpgsqlDataSource dataSource,
    string connectionString,
    Guid sidecar,
    ConditionEvaluator conditions,
    TimeProvider time
)
{
    /// <summary>Fixes the format of values, independent of the settings of the server, the database or the role.</summary>
    private const string SessionSettings =
        "-c datestyle=ISO,MDY -c intervalstyle=postgres -c timezone=UTC -c bytea_output=hex "
        + "-c extra_float_digits=1 -c client_encoding=UTF8";

    private const int ChunkEvents = 1000;

    /// <summary>For consecutive small transactions: a transaction that has ended should not wait for many more.</summary>
    private const int EndedEvents = 250;
    private const int ChunkBytes = 1 << 20;

    /// <summary>How often the server is told what is on disk, even while nothing happens.</summary>
    internal static readonly TimeSpan StatusInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(5);

    private readonly ReplicationStore store = new(dataSource);
    private readonly TriggerStore triggers = new(dataSource);
    private readonly CaptureStore captures = new(dataSource);

    /// <summary>
    /// Whether an event arrived that was stored already, although the stored position said otherwise: the slot or the position was set
    /// back. From then on, until the process ends, each event is checked.
    /// </summary>
    private bool isSetBack;

    /// <summary>
    /// Whether an event arrived that the database does not accept. From then on, until the process ends, each event is tested before it is
    /// stored.
    /// </summary>
    private bool validatePayloads;

    /// <summary>
    /// Whether to read changes from before the publication <c>functions_events_changes</c> was created: requested by name, it would not
    /// exist for them. They were published by the other publication. The migration that created it marks in the WAL where there are two.
    /// </summary>
    private bool isBeforeChanges;

    /// <summary>Reads until it is cancelled or fails.</summary>
    /// <param name="slot">The slot's name.</param>
    /// <param name="sink">Is notified of the events.</param>
    /// <param name="owner">Pauses the reading.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SlotInUseException">Another reader has the slot.</exception>
    /// <exception cref="PublicationMissingException">A change can't be read.</exception>
    public async Task RunAsync(string slot, IFeedSink sink, IFeedOwner owner, CancellationToken cancellationToken)
    {
        var host = await SingleHost.ChooseAsync(ReplicationConnectionString(), cancellationToken).ConfigureAwait(false);
        await using var connection = new LogicalReplicationConnection(host)
        {
            WalReceiverStatusInterval = StatusInterval,
            WalReceiverTimeout = TimeSpan.FromSeconds(60),
        };
        await connection.Open(cancellationToken).ConfigureAwait(false);
        var system = await connection.IdentifySystem(cancellationToken).ConfigureAwait(false);
        using var decoder = new WalDecoder(
            new TypeCatalog(dataSource),
            new TableCatalog(dataSource),
            await ContextKey.LoadAsync(dataSource, cancellationToken).ConfigureAwait(false),
            await NextTransactionAsync(cancellationToken).ConfigureAwait(false)
        );
        decoder.Attach(await triggers.LoadHistoryAsync(cancellationToken).ConfigureAwait(false));

        await CheckCaptureAsync(decoder, cancellationToken).ConfigureAwait(false);
        var published = await store.PublicationsAsync(cancellationToken).ConfigureAwait(false);

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var session = new FeedSession(connection, decoder);
        var storage = new FeedStorage(session, owner, time);
        var reading = ReadAsync(session, slot, ending.Token);
        Task[] tasks =
        [
            reading,
            StoreAsync(session, storage, reading, system.SystemId, sink, owner, ending.Token),
            storage.AcknowledgeIdleAsync(ending.Token),
            WatchAsync(decoder, published.Publications, published.End, ending.Token),
        ];
        var first = await Task.WhenAny(tasks).ConfigureAwait(false);
        isSetBack |=
            first.Exception?.InnerException
                is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, SchemaName: "functions_private" };
        validatePayloads |= PayloadFilter.IsOfData(first.Exception?.InnerException);
        isBeforeChanges =
            !decoder.SawPublications
            && (isBeforeChanges || IsOfChanges(first.Exception?.InnerException))
            && await store.MayPrecedeChangesAsync(CancellationToken.None).ConfigureAwait(false);
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(tasks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        session.Clear();
        try
        {
            await first.ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedObject && !isBeforeChanges)
        {
            throw new PublicationMissingException(e.MessageText);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse)
        {
            throw new SlotInUseException();
        }
    }

    private static bool IsOfChanges(Exception? exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.UndefinedObject } missing
        && missing.MessageText.Contains("functions_events_changes", StringComparison.Ordinal);

    /// <summary>
    /// Decodes. Decoded events go to the inbox when there is nothing more to read at the moment, or when there is much. Each message's
    /// events are pending before the next message is requested; idle acknowledgements rely on that.
    /// </summary>
    private async Task ReadAsync(FeedSession session, string slotName, CancellationToken cancellationToken)
    {
        var slot = new PgOutputReplicationSlot(slotName);
        KeyValuePair<string, string?>[] options =
        [
            new("proto_version", "2"),
            new("publication_names", isBeforeChanges ? "functions_events" : "functions_events,functions_events_changes"),
            new("messages", "true"),
        ];
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
                // Wait for capacity first, because nothing else can be awaited while a message is awaited.
                if (chunk is { EndsTransaction: true })
                    await writer.WaitToWriteAsync(cancellationToken).ConfigureAwait(false);
                var next = messages.MoveNextAsync();
                if (chunk is { EndsTransaction: true } && !next.GetAwaiter().IsCompleted && writer.TryWrite(chunk))
                    chunk = null;
                if (!await next)
                    break;
                var message = messages.Current;
                var length = checked((int)message.Data.Length);
                if (length > buffer.Length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(length);
                }
                var data = buffer.AsMemory(0, length);
                await message.Data.ReadExactlyAsync(data, cancellationToken).ConfigureAwait(false);
                if (!decoder.InTransaction && !WalDecoder.IsBegin(data.Span))
                    continue; // outside of transactions, so it fires nothing
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
                // Immediately, because the transaction that creates a trigger may go on to write to its table.
                if (decoder.TriggersChanged)
                {
                    chunk = await WriteEndedAsync(session, chunk!, cancellationToken).ConfigureAwait(false);
                    await ReloadAsync(decoder, cancellationToken).ConfigureAwait(false);
                }
                if (ended && isBeforeChanges && decoder.SawPublications)
                {
                    if (chunk is not null)
                        await writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
                    chunk = null;
                    await IsAcknowledgedAsync(session, cancellationToken).ConfigureAwait(false);
                    throw new NpgsqlException("From here on, changes are published by two publications; reading restarts with both.");
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
        throw new NpgsqlException("The server ended the replication stream.");
    }

    private static bool IsFull(InboxChunk chunk) =>
        chunk.Events.Count >= (chunk.EndsTransaction ? EndedEvents : ChunkEvents) || chunk.Buffer.Length >= ChunkBytes;

    private static async ValueTask<InboxChunk?> WriteFullAsync(FeedSession session, InboxChunk chunk, CancellationToken cancellationToken)
    {
        if (chunk.Transactions > 0)
            return await WriteEndedAsync(session, chunk, cancellationToken).ConfigureAwait(false);
        await session.Chunks.Writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <summary>Passes on the transactions that have ended, because the next message may take a while.</summary>
    /// <returns>The part of the transaction that has not ended, or null.</returns>
    private static async ValueTask<InboxChunk?> WriteEndedAsync(FeedSession session, InboxChunk chunk, CancellationToken cancellationToken)
    {
        if (chunk.Transactions == 0)
            return chunk;
        var open = chunk.EndsTransaction ? null : session.Split(chunk);
        await session.Chunks.Writer.WriteAsync(chunk, cancellationToken).ConfigureAwait(false);
        return open;
    }

    /// <summary>
    /// Retries once the transaction is visible, because only then can a type that the transaction itself created be looked up.
    /// </summary>
    private async Task DescribeAsync(WalDecoder decoder, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (!await decoder.DescribeAsync(message, cancellationToken).ConfigureAwait(false))
        {
            await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
            await decoder.DescribeAsync(message, cancellationToken).ConfigureAwait(false);
        }
        // Disabling or dropping a trigger makes the server describe the table again before the next change.
        await CheckCaptureAsync(decoder, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Loads the tables that can be written to without capturing the writer.</summary>
    private async Task CheckCaptureAsync(WalDecoder decoder, CancellationToken cancellationToken) =>
        decoder.CaptureGaps = (await captures.GapsAsync(cancellationToken).ConfigureAwait(false)).Select(gap => gap.Relation).ToFrozenSet();

    /// <summary>
    /// Checks at intervals what the stream does not report: changes of a table above the one that stores the rows, and, from PostgreSQL 18
    /// on, that a publication is missing, whose changes the server leaves out from then on.
    /// </summary>
    private async Task WatchAsync(
        WalDecoder decoder,
        string? publications,
        NpgsqlLogSequenceNumber end,
        CancellationToken cancellationToken
    )
    {
        // The last two checks. A drop that the last one did not see may already be in the WAL, because its transaction was about to end.
        var (before, last) = (end, end);
        using var timer = new PeriodicTimer(StatusInterval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            await CheckCaptureAsync(decoder, cancellationToken).ConfigureAwait(false);
            var (present, now) = await store.PublicationsAsync(cancellationToken).ConfigureAwait(false);
            if (present != publications)
                throw new PublicationMissingException("a publication was dropped while they were read", before);
            (before, last) = (last, now);
        }
    }

    /// <summary>The same for the types of a change that a row trigger carries.</summary>
    private async Task DescribeCarriedAsync(WalDecoder decoder, CancellationToken cancellationToken)
    {
        if (await decoder.DescribeCarriedAsync(isVisible: false, cancellationToken).ConfigureAwait(false))
            return;
        await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
        await decoder.DescribeCarriedAsync(isVisible: true, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until everything that was read is on disk and acknowledged.</summary>
    private async Task IsAcknowledgedAsync(FeedSession session, CancellationToken cancellationToken)
    {
        while (session.IsPending)
            await Task.Delay(Pulse, time, cancellationToken).ConfigureAwait(false);
        await session.Connection.SendStatusUpdate(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Loads the triggers as the current transaction has left them. It has committed, because only committed transactions are decoded.
    /// </summary>
    private async Task ReloadAsync(WalDecoder decoder, CancellationToken cancellationToken)
    {
        await BecomesVisibleAsync(decoder.Transaction, cancellationToken).ConfigureAwait(false);
        decoder.Attach(await triggers.LoadHistoryAsync(cancellationToken).ConfigureAwait(false));
    }

    /// <summary>
    /// Waits until a transaction is visible. It is decoded before that: by microseconds, or for as long as a synchronous standby takes.
    /// </summary>
    private async Task BecomesVisibleAsync(ulong transaction, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select pg_visible_in_snapshot($1, pg_current_snapshot())");
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Xid8, Value = transaction });
        while (!(bool)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!)
            await Task.Delay(Pulse, time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes the lead once the slot is this connection's, and stores from then on.</summary>
    private async Task StoreAsync(
        FeedSession session,
        FeedStorage storage,
        Task reading,
        string systemId,
        IFeedSink sink,
        IFeedOwner owner,
        CancellationToken cancellationToken
    )
    {
        await SlotIsOursAsync(session.Connection.ProcessID, reading, cancellationToken).ConfigureAwait(false);
        await store.EndFormerInboxesAsync(cancellationToken).ConfigureAwait(false);
        var (epoch, storedLsn) = await store.LeadAsync(sidecar, systemId, cancellationToken).ConfigureAwait(false);
        owner.Leading(epoch);
        await using var inbox = new InboxWriter(dataSource, conditions, sidecar, epoch, storedLsn, isSetBack, validatePayloads, sink);
        await storage.StoreAsync(inbox, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits until the server reports that this connection has the slot, or for the error that prevents it.</summary>
    private async Task SlotIsOursAsync(int pid, Task reading, CancellationToken cancellationToken)
    {
        while (await store.ActivePidAsync(cancellationToken).ConfigureAwait(false) != pid)
        {
            if (reading.IsCompleted)
                await reading.ConfigureAwait(false);
            await Task.Delay(Pulse, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<ulong> NextTransactionAsync(CancellationToken cancellationToken) =>
        ulong.Parse(
            await dataSource
                .SingleAsync<string>("select pg_snapshot_xmax(pg_current_snapshot())::text", null, cancellationToken)
                .ConfigureAwait(false),
            CultureInfo.InvariantCulture
        );

    private string ReplicationConnectionString() =>
        new NpgsqlConnectionStringBuilder(connectionString)
        {
            ApplicationName = "pgfn replication",
            Options = OwnSessions.With(null) + " " + SessionSettings,
            Pooling = false,
            KeepAlive = 0,
        }.ConnectionString;
}
