using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// Takes messages from queues and records what became of them, over connections of its own, whose statements are prepared.
/// </summary>
internal sealed class QueueStore(NpgsqlDataSource dataSource, SidecarIdentity identity) : IAsyncDisposable
{
    /// <inheritdoc/>
    public ValueTask DisposeAsync() => dataSource.DisposeAsync();

    /// <summary>Whether an operation failed because the server refused it or can't be reached.</summary>
    public static bool IsServersFailure(Exception failure) => failure is NpgsqlException;

    /// <summary>All consumers that may run.</summary>
    public async Task<IReadOnlyList<QueueConsumerDefinition>> ConsumersAsync(CancellationToken cancellationToken)
    {
        var rows = await dataSource
            .QueryAsync<ConsumerRow>(
                """
                select queue, function, role, batch_size, max_retries, concurrency, visibility_seconds, ordered
                from functions_private.queue_consumers where not held
                """,
                null,
                cancellationToken
            )
            .ConfigureAwait(false);
        return
        [
            .. rows.Select(row => new QueueConsumerDefinition(
                row.Queue,
                row.Function,
                row.Role,
                row.BatchSize,
                row.MaxRetries,
                row.Concurrency,
                TimeSpan.FromSeconds(row.VisibilitySeconds),
                row.Ordered
            )),
        ];
    }

    /// <summary>The queues with a consumer that have visible messages.</summary>
    public Task<IReadOnlyList<string>> ReadyAsync(CancellationToken cancellationToken) =>
        dataSource.QueryAsync<string>("select functions_private.ready_queues()", null, cancellationToken);

    /// <summary>Leases messages to this sidecar.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="batches">The most batches.</param>
    /// <param name="since">Not to look for messages that became visible earlier; null: for all.</param>
    /// <param name="staysWaiting">Whether this sidecar stays recorded as waiting for messages also if it finds some.</param>
    /// <param name="cancellationToken">Stops; what was leased is released when the sidecar stops, or its lease ends.</param>
    public async Task<QueueClaim> ClaimAsync(
        string queue,
        int batches,
        DateTime? since,
        bool staysWaiting,
        CancellationToken cancellationToken
    )
    {
        await using var command = dataSource.CreateCommand(
            """
            select batch, msg_id, attempt, sent_at, message, headers, visible_at, wait_ms, number
            from functions_private.claim_messages($1, $2, $3, $4, true, $5)
            """
        );
        command.Parameters.AddWithValue(queue);
        command.Parameters.AddWithValue(identity.Id);
        command.Parameters.AddWithValue(batches);
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.TimestampTz, Value = (object?)since ?? DBNull.Value });
        command.Parameters.AddWithValue(staysWaiting);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var found = new List<QueueBatch>();
        var messages = new List<QueueMessage>();
        var number = -1L;
        DateTime? latest = null;
        TimeSpan? wait = null;
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (await reader.IsDBNullAsync(0, cancellationToken).ConfigureAwait(false))
            {
                wait = TimeSpan.FromMilliseconds(reader.GetDouble(7));
                continue;
            }
            if (reader.GetInt64(8) is var next && next != number)
            {
                number = next;
                found.Add(new QueueBatch(Guid.NewGuid(), reader.GetGuid(0), queue, messages = []));
            }
            messages.Add(
                new QueueMessage(
                    reader.GetInt64(1),
                    reader.GetInt32(2),
                    reader.GetDateTime(3),
                    reader.IsDBNull(4) ? "null" : reader.GetString(4),
                    reader.IsDBNull(5) ? null : reader.GetString(5)
                )
            );
            var visible = reader.GetDateTime(6);
            latest = latest > visible ? latest : visible;
        }
        return new QueueClaim(found, latest, wait);
    }

    /// <summary>Records how a batch ended.</summary>
    /// <returns>How many messages ended in which way; null if the lease was lost and nothing was recorded.</returns>
    public async Task<QueueRecord?> FinishAsync(QueueOutcome outcome, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select acks, retries, dead from functions_private.finish_batch($1, $2, $3, $4, $5, $6, $7, $8)"
        );
        command.Parameters.AddWithValue(outcome.Batch.Lease);
        command.Parameters.AddWithValue(outcome.Acknowledged.ToArray());
        command.Parameters.AddWithValue(outcome.Retried.Select(retry => retry.Id).ToArray());
        command.Parameters.AddWithValue(outcome.Retried.Select(retry => retry.Delay).ToArray());
        command.Parameters.AddWithValue(outcome.Released.ToArray());
        command.Parameters.AddWithValue(outcome.Pause.TotalMilliseconds);
        command.Parameters.Add(Text(outcome.ErrorCode));
        command.Parameters.Add(Text(outcome.ErrorMessage?.Replace('\0', ' ')));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return reader.IsDBNull(0) ? null : new QueueRecord(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2));
    }

    /// <summary>Records batches of which every message is done.</summary>
    /// <returns>How many messages were acknowledged, by lease; a lease that was lost is missing.</returns>
    public async Task<Dictionary<Guid, long>> AcknowledgeAsync(
        string queue,
        IReadOnlyList<QueueBatch> batches,
        CancellationToken cancellationToken
    )
    {
        await using var command = dataSource.CreateCommand("select batch, acks from functions_private.acknowledge_batches($1, $2, $3)");
        command.Parameters.AddWithValue(queue);
        command.Parameters.AddWithValue(batches.Select(batch => batch.Lease).Distinct().ToArray());
        command.Parameters.AddWithValue(batches.SelectMany(batch => batch.Messages.Select(message => message.Id)).ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var counts = new Dictionary<Guid, long>(batches.Count);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            counts[reader.GetGuid(0)] = reader.GetInt64(1);
        return counts;
    }

    /// <summary>Extends the leases of batches whose functions run.</summary>
    public async Task ExtendAsync(Guid[] leases, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.extend_batches($1)");
        command.Parameters.AddWithValue(leases);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Releases the messages of sidecars that are gone.</summary>
    /// <returns>Their queues.</returns>
    public Task<IReadOnlyList<string>> ReleaseAsync(CancellationToken cancellationToken) =>
        dataSource.QueryAsync<string>(
            "select functions_private.release_batches(@sidecar)",
            new { sidecar = identity.Id },
            cancellationToken
        );

    /// <summary>This sidecar waits for messages no more, so that senders need not notify it.</summary>
    public Task StopWaitingAsync(CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            "delete from functions_private.queue_waits where sidecar = @sidecar",
            new { sidecar = identity.Id },
            cancellationToken
        );

    /// <summary>Adds to the counts of the present minute.</summary>
    public Task CountAsync(string queue, QueueRecord counts, CancellationToken cancellationToken) =>
        dataSource.ExecuteAsync(
            """
            insert into functions_private.queue_counts as c (queue, minute, delivered, retried, dead)
            values (@queue, date_trunc('minute', now()), @acknowledged, @retried, @dead)
            on conflict (queue, minute) do update set delivered = c.delivered + excluded.delivered,
                retried = c.retried + excluded.retried, dead = c.dead + excluded.dead
            """,
            new
            {
                queue,
                counts.Acknowledged,
                counts.Retried,
                counts.Dead,
            },
            cancellationToken
        );

    /// <summary>What waits in a queue; null if there is none that the sidecar may read.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="role">Only if this role may send to it or read it; null: in any case.</param>
    /// <param name="cancellationToken">Stops.</param>
    public async Task<QueueBacklog?> BacklogAsync(string queue, string? role, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            select b.count, b.bytes, b.oldest from pg_class c cross join lateral functions_private.queue_backlog($1) b
            where c.relnamespace = to_regnamespace('pgmq') and c.relname = 'q_' || $1 and c.relkind in ('r', 'p')
              and b.count is not null and (case when $2::name is null then true
                   else has_table_privilege($2::name, c.oid, 'insert') or has_table_privilege($2::name, c.oid, 'select') end)
            """
        );
        command.Parameters.AddWithValue(queue);
        command.Parameters.Add(Text(role));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new QueueBacklog(reader.GetInt64(0), reader.GetInt64(1), reader.IsDBNull(2) ? null : reader.GetDateTime(2))
            : null;
    }

    private static NpgsqlParameter Text(string? value) =>
        new() { NpgsqlDbType = NpgsqlDbType.Text, Value = (object?)value ?? DBNull.Value };

    private sealed record ConsumerRow(
        string Queue,
        string Function,
        string? Role,
        int BatchSize,
        int MaxRetries,
        int? Concurrency,
        int VisibilitySeconds,
        bool Ordered
    );
}
