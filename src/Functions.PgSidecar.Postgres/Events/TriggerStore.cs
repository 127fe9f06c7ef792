using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>Reads the definitions of triggers.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class TriggerStore(NpgsqlDataSource dataSource)
{
    private const string Columns = """
        id, name, function, relation, operations, coalesce(columns, '{}'),
        condition, coalesce(order_by, '{}'), batch_size,
        retries, backoff_ms, max_backoff_ms, timeout_ms, role, enabled, since_lsn, payload,
        include_old, coalesce(condition ~* '\mold\M', false), coalesce(table_columns, '{}')
        """;

    /// <summary>Every trigger as it is now, enabled or not.</summary>
    public Task<IReadOnlyList<TriggerDefinition>> LoadAsync(CancellationToken cancellationToken) =>
        LoadAsync($"select {Columns}, null::pg_lsn from functions_private.triggers order by id", cancellationToken);

    /// <summary>Every trigger as it is now, and those that were dropped as they were last, while events of theirs may still be delivered.</summary>
    public Task<IReadOnlyList<TriggerDefinition>> LoadForDeliveryAsync(CancellationToken cancellationToken) => LoadAsync($"""
        select {Columns}, null::pg_lsn from functions_private.triggers
        union all
        (select distinct on (id) {Columns}, ended_lsn from functions_private.former_triggers f
         where not exists (select from functions_private.triggers t where t.id = f.id) order by id, version desc)
        """, cancellationToken);

    /// <summary>Every trigger as it is now, and as it was when changes committed that may still be read.</summary>
    public Task<IReadOnlyList<TriggerDefinition>> LoadHistoryAsync(CancellationToken cancellationToken) => LoadAsync(
        $"select {Columns}, null::pg_lsn from functions_private.triggers union all select {Columns}, ended_lsn from functions_private.former_triggers order by 1", cancellationToken);

    /// <summary>The enabled triggers that something is wrong with.</summary>
    public async Task<IReadOnlyList<TriggerProblem>> ProblemsAsync(CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("""
            select t.id, t.name, p.problem, coalesce(b.follow = 'name', false)
            from functions_private.triggers t left join functions_private.bindings b on b.trigger_id = t.id
            join functions_private.trigger_problems() p on p.id = t.id where t.enabled and p.problem is not null order by t.id
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var problems = new List<TriggerProblem>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
            problems.Add(new TriggerProblem(reader.GetInt32(0), reader.GetString(1), reader.GetString(2), reader.GetBoolean(3)));
        return problems;
    }

    /// <summary>Binds a trigger that follows a name to the table that has it now.</summary>
    /// <returns>The table; null: the trigger is bound to it already, or no table has the name.</returns>
    public async Task<string?> FollowNameAsync(int trigger, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("select functions_private.follow_name($1)::text");
        command.Parameters.AddWithValue(trigger);
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) as string;
    }

    private async Task<IReadOnlyList<TriggerDefinition>> LoadAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(sql);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        var triggers = new List<TriggerDefinition>();
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) triggers.Add(Read(reader));
        return triggers;
    }

    private static TriggerDefinition Read(NpgsqlDataReader reader) => new()
    {
        Id = reader.GetInt32(0),
        Name = reader.GetString(1),
        Function = reader.GetString(2),
        Relation = reader.GetFieldValue<uint>(3),
        Operations = reader.GetFieldValue<string[]>(4).Aggregate(RowOperations.None, (all, one) => all | Enum.Parse<RowOperations>(one, ignoreCase: true)),
        Columns = reader.GetFieldValue<string[]>(5),
        Condition = reader.IsDBNull(6) ? null : reader.GetString(6),
        OrderBy = reader.GetFieldValue<string[]>(7),
        BatchSize = reader.GetInt32(8),
        Retries = reader.IsDBNull(9) ? null : reader.GetInt32(9),
        Backoff = TimeSpan.FromMilliseconds(reader.GetInt32(10)),
        MaxBackoff = TimeSpan.FromMilliseconds(reader.GetInt32(11)),
        Timeout = reader.IsDBNull(12) ? null : TimeSpan.FromMilliseconds(reader.GetInt32(12)),
        Role = reader.IsDBNull(13) ? null : reader.GetString(13),
        Enabled = reader.GetBoolean(14),
        SinceLsn = (ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(15),
        Payload = Enum.Parse<PayloadShape>(reader.GetString(16), ignoreCase: true),
        IncludeOld = reader.GetBoolean(17),
        ConditionAsksOld = reader.GetBoolean(18),
        TableColumns = reader.GetFieldValue<string?[]>(19),
        EndedLsn = reader.IsDBNull(20) ? ulong.MaxValue : (ulong)reader.GetFieldValue<NpgsqlLogSequenceNumber>(20),
    };
}

/// <summary>What is wrong with a trigger.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">Its name.</param>
/// <param name="Problem">What it is, for people.</param>
/// <param name="FollowsName">Whether it goes on with whichever table has the name.</param>
public sealed record TriggerProblem(int Id, string Name, string Problem, bool FollowsName);
