using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Claims deliveries from the inbox and records their outcomes. Each method makes one round trip.</summary>
/// <param name="dataSource">The connections of <see cref="EventDatabase"/>.</param>
/// <param name="sidecar">The sidecar that claims deliveries.</param>
/// <param name="time">Whose timestamps the outcomes have; by default the system's.</param>
public sealed class DeliveryStore(NpgsqlDataSource dataSource, Guid sidecar, TimeProvider? time = null)
{
    /// <summary>
    /// Each index is asked for its first entry only, so that the planner can't choose to scan a backlog. With EXISTS, it reads the whole
    /// backlog of other functions.
    /// </summary>
    internal const string FunctionsSql = """
        select f.name from functions_private.functions f
        where f.enabled and f.active_version is not null
          and ((select d.run_at from functions_private.deliveries d
                where d.function = f.name and d.order_key is null and d.claimed_by is null
                order by d.function, d.run_at, d.event_id limit 1) <= now()
            or (select d.order_key from functions_private.deliveries d
                where d.function = f.name and d.order_key is not null
                order by d.function, d.order_key, d.event_id limit 1) is not null)
        """;

    /// <summary>
    /// Looks each delivery up by its key. The plan may have been made while the table was empty: a join would then compare every delivery
    /// of the sidecar with every outcome, and so would the index of claimed_by, which "is not distinct from" can't use.
    /// </summary>
    internal const string DoneSql = """
        delete from functions_private.deliveries d
        where d.claimed_by is not distinct from $3 and d.ctid = any (array(
            select mine.ctid from unnest($1, $2) c (id, token) cross join lateral (
                select d.ctid from functions_private.deliveries d
                where d.event_id = c.id and d.claims = c.token and d.claimed_by is not distinct from $3 offset 0) mine))
        """;

    /// <summary>
    /// Commits without waiting for the disk, which the writers and the inbox wait for. A server that loses this commit delivers the events
    /// again. That is harmless where order does not matter; an event with an order key must not come back after the next event of its key
    /// was delivered.
    /// </summary>
    private const string DoneAloneSql = $"""
        with done as ({DoneSql} returning d.order_key)
        select set_config('synchronous_commit', 'off', true) where not exists (select from done where order_key is not null)
        """;

    private readonly TimeProvider time = time ?? TimeProvider.System;

    /// <summary>Claims deliveries that are due.</summary>
    /// <param name="limits">The most deliveries to claim, per function.</param>
    /// <param name="cancellationToken">Gives up. Deliveries that were claimed by then are released with the sidecar.</param>
    public async Task<IReadOnlyList<Delivery>> ClaimAsync(IReadOnlyDictionary<string, int> limits, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            select event_id, function, trigger_id, attempts, claims, kind, payload, caller, depth, retries, timeout_ms, is_ordered
            from functions_private.claim_events($1, $2, $3)
            """
        );
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(limits.Keys.ToArray());
        command.Parameters.AddWithValue(limits.Values.ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var deliveries = new List<Delivery>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            deliveries.Add(Read(reader));
        return deliveries;
    }

    /// <summary>The functions that have deliveries in the inbox and can be called.</summary>
    public async Task<IReadOnlyList<string>> FunctionsAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(FunctionsSql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var names = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>Records outcomes: removes what succeeded; what failed waits for its next attempt or becomes a dead letter.</summary>
    public async Task CompleteAsync(IReadOnlyCollection<DeliveryOutcome> outcomes, CancellationToken cancellationToken)
    {
        await using var batch = dataSource.CreateBatch();
        var succeeded = outcomes.Where(outcome => outcome.Succeeded).ToList();
        var results = succeeded.Where(outcome => outcome.Delivery.Kind == TriggerKind.Invoke).ToList();
        var failed = outcomes.Where(outcome => !outcome.Succeeded).ToList();
        // First, while the deliveries show whose they are.
        if (ScheduleRuns(outcomes) is { } runs)
            batch.BatchCommands.Add(runs);
        if (succeeded.Count > 0)
            batch.BatchCommands.Add(Done(succeeded, results.Count == 0 && failed.Count == 0 ? DoneAloneSql : DoneSql));
        if (results.Count > 0)
            batch.BatchCommands.Add(Results(results));
        if (failed.Count > 0)
            batch.BatchCommands.Add(Failed(failed));
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Releases the deliveries of sidecars that send no heartbeat any more, makes dead letters of deliveries for functions that no longer
    /// exist, and deletes trigger definitions that no unread change needs any more.
    /// </summary>
    /// <returns>The number of deliveries that were released.</returns>
    public async Task<int> ReleaseOrphansAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select functions_private.release_orphans($1), functions_private.forget_former_triggers()"
        );
        command.Parameters.AddWithValue(sidecar);
        return (int)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>The events that the database lists as claimed by this sidecar.</summary>
    public async Task<IReadOnlyList<Guid>> ClaimedAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select event_id from functions_private.deliveries where claimed_by = $1");
        command.Parameters.AddWithValue(sidecar);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var events = new List<Guid>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            events.Add(reader.GetGuid(0));
        return events;
    }

    /// <summary>Releases deliveries that the database lists as claimed by this sidecar, but that it does not hold.</summary>
    /// <returns>The deliveries that were removed instead, because their events no longer exist.</returns>
    public async Task<IReadOnlyList<Guid>> ReleaseAsync(IReadOnlyCollection<Guid> events, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.release_lost($1, $2)");
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(events.ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var removed = new List<Guid>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            removed.Add(reader.GetGuid(0));
        return removed;
    }

    /// <summary>Releases everything that this sidecar still has claimed, when it stops.</summary>
    public async Task ReleaseAllAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "update functions_private.deliveries set claimed_by = null where claimed_by = $1"
        );
        command.Parameters.AddWithValue(sidecar);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The given transactions that every new snapshot sees.</summary>
    public async Task<HashSet<ulong>> VisibleAsync(IReadOnlyCollection<ulong> transactions, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select x from unnest($1) x where pg_visible_in_snapshot(x, pg_current_snapshot())"
        );
        command.Parameters.Add(
            new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Xid8, Value = transactions.ToArray() }
        );
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var visible = new HashSet<ulong>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            visible.Add(reader.GetFieldValue<ulong>(0));
        return visible;
    }

    private NpgsqlBatchCommand Done(List<DeliveryOutcome> outcomes, string sql)
    {
        var command = new NpgsqlBatchCommand(sql);
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.EventId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.Token).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = sidecar });
        return command;
    }

    private static NpgsqlBatchCommand Results(List<DeliveryOutcome> outcomes)
    {
        var command = new NpgsqlBatchCommand(
            """
            insert into functions_private.results as former (event_id, function, status, result)
            select r.id, r.function, 'succeeded', r.result from unnest($1, $2, $3) r (id, function, result)
            on conflict (event_id) do update -- it had failed, and was redriven
                set status = excluded.status, result = excluded.result, error_code = null, error_message = null, finished_at = excluded.finished_at
                where former.status <> 'succeeded'
            """
        );
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.EventId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.Function).ToArray() });
        command.Parameters.Add(
            new NpgsqlParameter
            {
                NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json,
                Value = outcomes
                    .Select(outcome => outcome.Result.IsEmpty ? "null" : System.Text.Encoding.UTF8.GetString(outcome.Result.Span))
                    .ToArray(),
            }
        );
        return command;
    }

    /// <summary>How attempts of schedules' runs ended; null if there are none. Outcomes that were no attempts are left out.</summary>
    private NpgsqlBatchCommand? ScheduleRuns(IEnumerable<DeliveryOutcome> outcomes)
    {
        var runs = outcomes
            .Where(static outcome => outcome.Delivery.Kind == TriggerKind.Schedule && (outcome.Succeeded || outcome.ErrorCode is not null))
            .ToList();
        if (runs.Count == 0)
            return null;
        var now = time.GetTimestamp();
        var command = new NpgsqlBatchCommand("select functions_private.end_schedule_runs($1, $2, $3, $4, $5, $6, $7, $8, $9)");
        Add(sidecar);
        Add(runs.Select(static run => run.Delivery.EventId).ToArray());
        Add(runs.Select(static run => run.Delivery.Token).ToArray());
        Add(
            runs.Select(static run =>
                    run.Succeeded ? "succeeded"
                    : run.RetryAfter is null ? "failed"
                    : "pending"
                )
                .ToArray()
        );
        command.Parameters.Add(Texts(runs.Select(static run => run.ErrorCode)));
        command.Parameters.Add(Texts(runs.Select(static run => PostgresText.Clean(run.ErrorMessage))));
        Add(runs.Select(run => Age(run.Began)).ToArray());
        Add(runs.Select(run => Age(run.Ended)).ToArray());
        Add(runs.Select(static run => run.Succeeded ? Math.Max(run.Delivery.FailedAttempts, 0) + 1 : run.FailedAttempts).ToArray());
        return command;

        void Add(object value) => command.Parameters.Add(new NpgsqlParameter { Value = value });
        double Age(long timestamp) => timestamp == 0 ? 0 : time.GetElapsedTime(timestamp, now).TotalMilliseconds;
    }

    private static NpgsqlParameter Texts(IEnumerable<string?> values) =>
        new() { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text, Value = values.ToArray() };

    private NpgsqlBatchCommand Failed(List<DeliveryOutcome> outcomes)
    {
        var command = new NpgsqlBatchCommand("select functions_private.fail_deliveries($1, $2, $3, $4, $5, $6, $7)");
        command.Parameters.Add(new NpgsqlParameter { Value = sidecar });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.EventId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.Token).ToArray() });
        command.Parameters.Add(
            new NpgsqlParameter
            {
                NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
                Value = outcomes.Select(outcome => outcome.ErrorCode).ToArray(),
            }
        );
        command.Parameters.Add(
            new NpgsqlParameter
            {
                NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
                Value = outcomes.Select(outcome => PostgresText.Clean(outcome.ErrorMessage)).ToArray(),
            }
        );
        command.Parameters.Add(
            new NpgsqlParameter
            {
                NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint,
                Value = outcomes.Select(outcome => (long?)outcome.RetryAfter?.TotalMilliseconds).ToArray(),
            }
        );
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.FailedAttempts).ToArray() });
        return command;
    }

    private static Delivery Read(NpgsqlDataReader reader) =>
        new()
        {
            EventId = reader.GetGuid(0),
            Function = reader.GetString(1),
            TriggerId = reader.IsDBNull(2) ? null : reader.GetInt32(2),
            FailedAttempts = reader.GetInt16(3),
            Token = reader.GetInt32(4),
            Kind = TriggerKinds.Parse(reader.GetString(5)),
            Payload = reader.GetFieldValue<byte[]>(6),
            CallerJson = reader.IsDBNull(7) ? null : reader.GetString(7),
            Depth = reader.GetInt16(8),
            Retries = reader.IsDBNull(9) ? null : reader.GetInt16(9),
            Timeout = reader.IsDBNull(10) ? null : TimeSpan.FromMilliseconds(reader.GetInt32(10)),
            IsOrdered = reader.GetBoolean(11),
        };
}
