using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>Takes deliveries out of the inbox and records what became of them. Each method is one round trip.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
/// <param name="sidecar">The sidecar for which deliveries are taken.</param>
public sealed class DeliveryStore(NpgsqlDataSource dataSource, Guid sidecar)
{
    /// <summary>
    /// The first by each index says whether there is any, whatever the planner makes of a backlog: asked with EXISTS it reads all of somebody else's.
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

    private const string DoneSql = """
        delete from functions_private.deliveries d using unnest($1, $2) c (id, token)
        where d.event_id = any ($1) and d.event_id = c.id and d.claims = c.token and d.claimed_by = $3
        """;

    /// <summary>
    /// Does not wait for the disk, on which the writers and the inbox wait. A server that loses it delivers those events again, which is harmless
    /// where nothing has to be in order; an event with a key must not come back after the next one of its key has gone out.
    /// </summary>
    private const string DoneAloneSql = $"""
        with done as ({DoneSql} returning d.order_key)
        select set_config('synchronous_commit', 'off', true) where not exists (select from done where order_key is not null)
        """;

    /// <summary>Takes what may be delivered now.</summary>
    /// <param name="limits">How many of which function.</param>
    /// <param name="cancellationToken">Gives up; what was taken by then is released with the sidecar.</param>
    public async Task<IReadOnlyList<Delivery>> ClaimAsync(IReadOnlyDictionary<string, int> limits, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select * from functions_private.claim_events($1, $2, $3)");
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(limits.Keys.ToArray());
        command.Parameters.AddWithValue(limits.Values.ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var deliveries = new List<Delivery>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) deliveries.Add(Read(reader));
        return deliveries;
    }

    /// <summary>The functions that have something to be delivered to them and can be called.</summary>
    public async Task<IReadOnlyList<string>> FunctionsAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(FunctionsSql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var names = new List<string>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>Records ends: what is done goes, what failed waits for its next attempt or becomes a dead letter.</summary>
    public async Task CompleteAsync(IReadOnlyCollection<DeliveryOutcome> outcomes, CancellationToken cancellationToken)
    {
        await using var batch = dataSource.CreateBatch();
        var succeeded = outcomes.Where(outcome => outcome.Succeeded).ToList();
        var results = succeeded.Where(outcome => outcome.Delivery.Kind == "invoke").ToList();
        var failed = outcomes.Where(outcome => !outcome.Succeeded).ToList();
        if (succeeded.Count > 0) batch.BatchCommands.Add(Done(succeeded, results.Count == 0 && failed.Count == 0 ? DoneAloneSql : DoneSql));
        if (results.Count > 0) batch.BatchCommands.Add(Results(results));
        if (failed.Count > 0) batch.BatchCommands.Add(Failed(failed));
        await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Gives back what sidecars hold that are not heard of any more, makes dead letters of what waits for functions that are gone, and forgets
    /// definitions of triggers that nothing is read under any more.
    /// </summary>
    /// <returns>How many deliveries.</returns>
    public async Task<int> ReleaseOrphansAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.release_orphans($1), functions_private.forget_former_triggers()");
        command.Parameters.AddWithValue(sidecar);
        return (int)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
    }

    /// <summary>The events that the database has down as this sidecar's.</summary>
    public async Task<IReadOnlyList<Guid>> ClaimedAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select event_id from functions_private.deliveries where claimed_by = $1");
        command.Parameters.AddWithValue(sidecar);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var events = new List<Guid>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) events.Add(reader.GetGuid(0));
        return events;
    }

    /// <summary>Gives back some of what the database has down as this sidecar's and it knows nothing of.</summary>
    /// <returns>What was removed instead: its event is gone, and nobody can deliver it.</returns>
    public async Task<IReadOnlyList<Guid>> ReleaseAsync(IReadOnlyCollection<Guid> events, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.release_lost($1, $2)");
        command.Parameters.AddWithValue(sidecar);
        command.Parameters.AddWithValue(events.ToArray());
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var removed = new List<Guid>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) removed.Add(reader.GetGuid(0));
        return removed;
    }

    /// <summary>Gives back whatever this sidecar still holds, at its end.</summary>
    public async Task ReleaseAllAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("update functions_private.deliveries set claimed_by = null where claimed_by = $1");
        command.Parameters.AddWithValue(sidecar);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Which of some transactions everybody can see.</summary>
    public async Task<HashSet<ulong>> VisibleAsync(IReadOnlyCollection<ulong> transactions, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select x from unnest($1) x where pg_visible_in_snapshot(x, pg_current_snapshot())");
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Xid8, Value = transactions.ToArray() });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var visible = new HashSet<ulong>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) visible.Add(reader.GetFieldValue<ulong>(0));
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
        var command = new NpgsqlBatchCommand("""
            insert into functions_private.results as former (event_id, function, status, result)
            select r.id, r.function, 'succeeded', r.result from unnest($1, $2, $3) r (id, function, result)
            on conflict (event_id) do update -- it had failed, and was redriven
                set status = excluded.status, result = excluded.result, error_code = null, error_message = null, finished_at = excluded.finished_at
                where former.status <> 'succeeded'
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.EventId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.Function).ToArray() });
        command.Parameters.Add(new NpgsqlParameter
        {
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json,
            Value = outcomes.Select(outcome => outcome.Result.IsEmpty ? "null" : System.Text.Encoding.UTF8.GetString(outcome.Result.Span)).ToArray(),
        });
        return command;
    }

    private NpgsqlBatchCommand Failed(List<DeliveryOutcome> outcomes)
    {
        var command = new NpgsqlBatchCommand("select functions_private.fail_deliveries($1, $2, $3, $4, $5, $6, $7)");
        command.Parameters.Add(new NpgsqlParameter { Value = sidecar });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.EventId).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.Delivery.Token).ToArray() });
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text, Value = outcomes.Select(outcome => outcome.ErrorCode).ToArray() });
        command.Parameters.Add(new NpgsqlParameter
        {
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
            Value = outcomes.Select(outcome => PostgresText.Clean(outcome.ErrorMessage)).ToArray(),
        });
        command.Parameters.Add(new NpgsqlParameter
        {
            NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint,
            Value = outcomes.Select(outcome => (long?)outcome.RetryAfter?.TotalMilliseconds).ToArray(),
        });
        command.Parameters.Add(new NpgsqlParameter { Value = outcomes.Select(outcome => outcome.FailedAttempts).ToArray() });
        return command;
    }

    private static Delivery Read(NpgsqlDataReader reader) => new()
    {
        EventId = reader.GetGuid(0),
        Function = reader.GetString(2),
        TriggerId = reader.IsDBNull(3) ? null : reader.GetInt32(3),
        FailedAttempts = reader.GetInt16(4),
        Token = reader.GetInt32(5),
        Kind = reader.GetString(6),
        Payload = reader.GetFieldValue<byte[]>(8),
        CallerJson = reader.IsDBNull(9) ? null : reader.GetString(9),
        Depth = reader.GetInt16(10),
    };
}
