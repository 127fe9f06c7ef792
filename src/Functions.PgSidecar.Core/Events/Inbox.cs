using System.Globalization;
using Functions.PgSidecar.Core.Invocations;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Events;

/// <summary>
/// Stores events in the inbox, over its own connection. Small transactions are stored together in one round trip. A large one is stored in
/// parts, in a transaction that commits with the last part. The position up to which everything is stored is written in the same
/// transaction. Commits do not wait for the disk unless requested: what a server crash loses has not been acknowledged to the slot, so the
/// server sends it again.
/// </summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="sidecar">The sidecar that stores the events, and claims those for which it has capacity.</param>
/// <param name="epoch">The epoch of its leadership.</param>
/// <param name="onlyMissing">Whether to check each event for an existing row, even though the stored position says that there is
/// none.</param>
internal sealed class Inbox(NpgsqlDataSource dataSource, Guid sidecar, long epoch, bool onlyMissing) : IAsyncDisposable
{
    /// <summary>
    /// The application name of the storing connection in pg_stat_activity. The current reader has one; former readers may have left others.
    /// </summary>
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
    /// <param name="chunks">Consecutive chunks of the stream.</param>
    /// <param name="reserve">Called for every event; returns whether this sidecar claims it.</param>
    /// <param name="durably">Whether the commit waits until it, and everything before it, is on disk, and where the server's settings
    /// require it, on standbys.</param>
    /// <param name="cancellationToken">Gives up; nothing of an unfinished transaction is kept.</param>
    /// <returns>Whether everything is committed, and the current snapshot, which tells what is visible.</returns>
    public async Task<StoredChunks> StoreAsync(
        IReadOnlyList<InboxChunk> chunks,
        Func<InboxEvent, bool> reserve,
        bool durably,
        CancellationToken cancellationToken
    )
    {
        connection ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
        var ends = chunks[^1].EndsTransaction;
        if (!ends)
            open ??= await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);

        await using var batch = new NpgsqlBatch(connection, open);
        var claimed = AddEvents(batch, chunks, reserve);
        if (ends)
            AddEnd(batch, chunks[^1].EndLsn, durably);
        // Prepared once per connection, because planning takes longer than storing one event.
        await batch.PrepareAsync(cancellationToken).ConfigureAwait(false);
        string? snapshot = null;
        await using (var reader = await batch.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
        {
            do
            {
                // The last result of the batch.
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    snapshot = reader.GetString(0);
            } while (await reader.NextResultAsync(cancellationToken).ConfigureAwait(false));
        }
        if (ends && open is not null)
        {
            await open.CommitAsync(cancellationToken).ConfigureAwait(false);
            await open.DisposeAsync().ConfigureAwait(false);
            open = null;
        }
        return new StoredChunks(claimed, ends ? TransactionSnapshot.Parse(snapshot!) : default);
    }

    /// <summary>Flushes everything that was stored to disk, up to the position that was stored last.</summary>
    public async Task FlushAsync(ulong lsn, CancellationToken cancellationToken)
    {
        connection ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var batch = new NpgsqlBatch(connection);
        AddEnd(batch, lsn, durably: true);
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (open is not null)
            await open.DisposeAsync().ConfigureAwait(false);
        if (connection is not null)
            await connection.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// A durable commit waits as the server's default demands, and at least for the disk. Plans are generic: a plan for one event (a nested
    /// loop) would take quadratic time for thousands. The application name lets the next reader find connections that this one leaves open;
    /// it is reset with the other settings when the connection returns to the pool.
    /// </summary>
    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        var opened = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using var command = new NpgsqlCommand(
            $"""
            with given as materialized (select current_setting('synchronous_commit') as name)
            select case name when 'off' then 'on' else name end, set_config('synchronous_commit', 'off', false),
                set_config('plan_cache_mode', 'force_generic_plan', false), set_config('enable_nestloop', 'off', false),
                set_config('application_name', '{ApplicationName}', false)
            from given
            """,
            opened
        );
        waitingCommit = (string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        return opened;
    }

    private List<Delivery> AddEvents(NpgsqlBatch batch, IReadOnlyList<InboxChunk> chunks, Func<InboxEvent, bool> reserve)
    {
        var count = chunks.Sum(chunk => chunk.Events.Count);
        var claimed = new List<Delivery>();
        if (count == 0)
            return claimed;
        var rows = new InboxRows(count);
        foreach (var chunk in chunks)
        {
            foreach (var stored in chunk.Events)
            {
                if (stored.Fault is { } fault)
                {
                    batch.BatchCommands.Add(ToDeadLetter(stored, chunk, fault));
                    continue;
                }
                var taken = reserve(stored);
                var payload = chunk.Slice(stored.Payload);
                rows.Add(stored, payload, taken);
                if (taken)
                    claimed.Add(ToDelivery(stored, payload));
            }
        }
        batch.BatchCommands.Add(rows.ToCommand(sidecar, onlyMissing));
        return claimed;
    }

    private static NpgsqlBatchCommand ToDeadLetter(in InboxEvent stored, InboxChunk chunk, EventFault fault)
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
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Json, Value = (object?)stored.ConditionRows(chunk) ?? DBNull.Value }
        );
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

    private static Delivery ToDelivery(in InboxEvent stored, ReadOnlyMemory<byte> payload) =>
        new()
        {
            EventId = stored.Id,
            Token = 1,
            Function = stored.Function,
            TriggerId = stored.TriggerId,
            Kind = TriggerKind.Database,
            Payload = payload.ToArray(),
            CallerJson = stored.Caller,
            Depth = stored.Depth,
            Xid = stored.Xid,
        };
}

/// <summary>The result of storing chunks.</summary>
/// <param name="Claimed">The events that this sidecar delivers, once the transaction has ended.</param>
/// <param name="Snapshot">The snapshot that was current then.</param>
internal readonly record struct StoredChunks(IReadOnlyList<Delivery> Claimed, TransactionSnapshot Snapshot);

/// <summary>A pg_snapshot: the transactions that are visible.</summary>
internal readonly record struct TransactionSnapshot(ulong Oldest, ulong Next, IReadOnlyList<ulong>? Running)
{
    /// <summary>Reads <c>xmin:xmax:xip,xip</c>.</summary>
    public static TransactionSnapshot Parse(string text)
    {
        var parts = text.Split(':');
        return new TransactionSnapshot(
            ulong.Parse(parts[0], CultureInfo.InvariantCulture),
            ulong.Parse(parts[1], CultureInfo.InvariantCulture),
            [.. parts[2].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(id => ulong.Parse(id, CultureInfo.InvariantCulture))]
        );
    }

    /// <summary>Whether a committed transaction is visible.</summary>
    public bool Sees(ulong transaction) => transaction < Oldest || (transaction < Next && Running?.Contains(transaction) != true);
}
