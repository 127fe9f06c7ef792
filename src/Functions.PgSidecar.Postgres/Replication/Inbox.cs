using System.Globalization;
using Functions.PgSidecar.Postgres.Events;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// Puts events into the inbox, over a connection of its own. Small transactions are stored together in one round trip; a large one is stored
/// piece by piece in a transaction that commits with its last piece. With the events goes the position up to which everything is stored.
/// Commits do not wait for the disk unless they are told to: what a server loses by that it has not been told to forget, so it sends it again.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="sidecar">Who stores, and takes what it has room for.</param>
/// <param name="epoch">Of its leadership.</param>
/// <param name="onlyMissing">Looks at each event whether it is stored, though the position says that it is not.</param>
internal sealed class Inbox(NpgsqlDataSource dataSource, Guid sidecar, long epoch, bool onlyMissing) : IAsyncDisposable
{
    /// <summary>What the backend that stores is called in pg_stat_activity. There is one of the reader, and what former readers have left.</summary>
    public const string ApplicationName = "pgfn inbox";

    private const string BurySql = """
        with event as (
            insert into functions_private.events (id, occurred_at, kind, function, trigger, payload, caller, depth)
            values ($1, $2, 'database', $3, $4, $5, $6, $7) on conflict do nothing
        )
        insert into functions_private.dead_letters (event_id, occurred_at, kind, function, trigger, trigger_id, payload, caller, depth, attempts, error_code, error_message, condition_rows)
        values ($1, $2, 'database', $3, $4, $8, $5, $6, $7, 0, $9, $10, $11) on conflict do nothing
        """;

    private NpgsqlConnection? connection;
    private NpgsqlTransaction? open;
    private string waitingCommit = "on";

    /// <summary>Stores chunks.</summary>
    /// <param name="chunks">One after another in the stream.</param>
    /// <param name="reserve">Asked for every event, whether this sidecar takes it at once.</param>
    /// <param name="durably">Whether the commit waits until it, and with it all before it, is on disk, and where the server's standbys want it.</param>
    /// <param name="cancellationToken">Gives up; nothing of an unfinished transaction stays.</param>
    /// <returns>Whether everything is committed, and the snapshot of the moment: who sees what.</returns>
    public async Task<StoredChunks> StoreAsync(
        IReadOnlyList<InboxChunk> chunks, Func<InboxEvent, bool> reserve, bool durably, CancellationToken cancellationToken)
    {
        connection ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
        var ends = chunks[^1].EndsTransaction;
        if (!ends) open ??= await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);

        await using var batch = new NpgsqlBatch(connection, open);
        var claimed = AddEvents(batch, chunks, reserve);
        if (ends) AddEnd(batch, chunks[^1].EndLsn, durably);
        // Once a connection; planning takes longer than storing one event does.
        await batch.PrepareAsync(cancellationToken).ConfigureAwait(false);
        string? snapshot = null;
        await using (var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            do
            {
                // The last of the batch's results.
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) snapshot = reader.GetString(0);
            }
            while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false));
        }
        if (ends && open is not null)
        {
            await open.CommitAsync(cancellationToken).ConfigureAwait(false);
            await open.DisposeAsync().ConfigureAwait(false);
            open = null;
        }
        return new StoredChunks(claimed, ends ? TransactionSnapshot.Parse(snapshot!) : default);
    }

    /// <summary>Has everything that was stored on disk, up to a position that was stored last.</summary>
    public async Task FlushAsync(ulong lsn, CancellationToken cancellationToken)
    {
        connection ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        AddEnd(batch, lsn, durably: true);
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (open is not null) await open.DisposeAsync().ConfigureAwait(false);
        if (connection is not null) await connection.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// A commit that is waited for waits as the server's default says, and at least for the disk. Plans are made for any number of events: what
    /// suits one would take quadratic time for thousands if it were a nested loop. The name is how the next reader finds what this one leaves open; it goes
    /// with the other settings when the connection is used for something else.
    /// </summary>
    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var opened = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand($"""
            with given as materialized (select current_setting('synchronous_commit') as name)
            select case name when 'off' then 'on' else name end, set_config('synchronous_commit', 'off', false),
                set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_nestloop', 'off', false),
                set_config('application_name', '{ApplicationName}', false)
            from given
            """, opened);
        waitingCommit = (string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        return opened;
    }

    private List<Delivery> AddEvents(NpgsqlBatch batch, IReadOnlyList<InboxChunk> chunks, Func<InboxEvent, bool> reserve)
    {
        var count = chunks.Sum(chunk => chunk.Events.Count);
        var claimed = new List<Delivery>();
        if (count == 0) return claimed;
        var rows = new InboxRows(count);
        foreach (var chunk in chunks)
        {
            foreach (var stored in chunk.Events)
            {
                if (stored.Fault is { } fault)
                {
                    batch.BatchCommands.Add(Bury(stored, chunk, fault));
                    continue;
                }
                var taken = reserve(stored);
                var payload = chunk.Slice(stored.Payload);
                rows.Add(stored, payload, taken);
                if (taken) claimed.Add(ToDelivery(stored, payload));
            }
        }
        batch.BatchCommands.Add(rows.ToCommand(sidecar, onlyMissing));
        return claimed;
    }

    private static NpgsqlBatchCommand Bury(in InboxEvent stored, InboxChunk chunk, EventFault fault)
    {
        var command = new NpgsqlBatchCommand(BurySql);
        command.Parameters.Add(new NpgsqlParameter { Value = stored.Id });
        command.Parameters.Add(new NpgsqlParameter { Value = stored.OccurredAt });
        command.Parameters.Add(new NpgsqlParameter { Value = stored.Function });
        command.Parameters.Add(new NpgsqlParameter { Value = stored.Trigger });
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Json, Value = chunk.Slice(stored.Payload) });
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Json, Value = stored.Caller });
        command.Parameters.Add(new NpgsqlParameter { Value = stored.Depth });
        command.Parameters.Add(new NpgsqlParameter { Value = stored.TriggerId });
        command.Parameters.Add(new NpgsqlParameter { Value = fault.Code });
        command.Parameters.Add(new NpgsqlParameter { Value = fault.Message });
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Json, Value = (object?)stored.ConditionRows(chunk) ?? DBNull.Value });
        return command;
    }

    private void AddEnd(NpgsqlBatch batch, ulong lsn, bool durably)
    {
        if (durably)
        {
            var wait = new NpgsqlBatchCommand("select set_config('synchronous_commit', $1, true)");
            wait.Parameters.Add(new NpgsqlParameter { Value = waitingCommit });
            batch.BatchCommands.Add(wait);
        }
        var advance = new NpgsqlBatchCommand("select pg_current_snapshot()::text, functions_private.advance_inbox($1, $2)::text");
        advance.Parameters.Add(new NpgsqlParameter { Value = epoch });
        advance.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.PgLsn, Value = new NpgsqlLogSequenceNumber(lsn) });
        batch.BatchCommands.Add(advance);
    }

    private static Delivery ToDelivery(in InboxEvent stored, ReadOnlyMemory<byte> payload) => new()
    {
        EventId = stored.Id,
        Token = 1,
        Function = stored.Function,
        TriggerId = stored.TriggerId,
        Kind = "database",
        Payload = payload.ToArray(),
        CallerJson = stored.Caller,
        Depth = stored.Depth,
        Xid = stored.Xid,
    };
}

/// <summary>What became of chunks that were stored.</summary>
/// <param name="Claimed">The events that are this sidecar's to deliver, once the transaction has ended.</param>
/// <param name="Snapshot">What was visible then.</param>
internal readonly record struct StoredChunks(IReadOnlyList<Delivery> Claimed, TransactionSnapshot Snapshot);

/// <summary>A pg_snapshot: which transactions everybody sees.</summary>
internal readonly record struct TransactionSnapshot(ulong Oldest, ulong Next, IReadOnlyList<ulong>? Running)
{
    /// <summary>Reads <c>xmin:xmax:xip,xip</c>.</summary>
    public static TransactionSnapshot Parse(string text)
    {
        var parts = text.Split(':');
        return new TransactionSnapshot(
            ulong.Parse(parts[0], CultureInfo.InvariantCulture), ulong.Parse(parts[1], CultureInfo.InvariantCulture),
            [.. parts[2].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(id => ulong.Parse(id, CultureInfo.InvariantCulture))]);
    }

    /// <summary>Whether a transaction that has committed is visible.</summary>
    public bool Sees(ulong transaction) => transaction < Oldest || (transaction < Next && Running?.Contains(transaction) != true);
}
