using Functions.PgSidecar.Postgres.Statements;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.RowChanges.Triggers;

/// <summary>Reads the definitions of triggers.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class TriggerStore(NpgsqlDataSource dataSource)
{
    private const string Columns = """
        id, name, function, relation, operations, coalesce(columns, '{}') as columns,
        condition, coalesce(order_by, '{}') as order_by, batch_size,
        retries, backoff_ms, max_backoff_ms, timeout_ms, role, enabled, since_lsn, payload,
        include_old, coalesce(condition ~* '\mold\M', false) as condition_asks_old, coalesce(table_columns, '{}') as table_columns
        """;

    /// <summary>Every trigger as it is now, enabled or not.</summary>
    public Task<IReadOnlyList<TriggerDefinition>> LoadAsync(CancellationToken cancellationToken) =>
        LoadAsync($"select {Columns}, null::pg_lsn as ended_lsn from functions_private.triggers order by id", cancellationToken);

    /// <summary>
    /// Every current trigger, and the last definition of those that were dropped while events of theirs may still be delivered.
    /// </summary>
    public Task<IReadOnlyList<TriggerDefinition>> LoadForDeliveryAsync(CancellationToken cancellationToken) =>
        LoadAsync(
            $"""
            select {Columns}, null::pg_lsn as ended_lsn from functions_private.triggers
            union all
            (select distinct on (id) {Columns}, ended_lsn from functions_private.former_triggers f
             where not exists (select from functions_private.triggers t where t.id = f.id) order by id, version desc)
            """,
            cancellationToken
        );

    /// <summary>Every current trigger, and the former definitions that changes still to be read may need.</summary>
    public Task<IReadOnlyList<TriggerDefinition>> LoadHistoryAsync(CancellationToken cancellationToken) =>
        LoadAsync(
            $"select {Columns}, null::pg_lsn as ended_lsn from functions_private.triggers union all select {Columns}, ended_lsn from "
                + "functions_private.former_triggers order by 1",
            cancellationToken
        );

    /// <summary>The enabled triggers that have a problem.</summary>
    public Task<IReadOnlyList<TriggerProblem>> ProblemsAsync(CancellationToken cancellationToken) =>
        dataSource.QueryAsync<TriggerProblem>(
            """
            select t.id, t.name, p.problem, coalesce(b.follow = 'name', false) as follows_name
            from functions_private.triggers t left join functions_private.bindings b on b.trigger_id = t.id
            join functions_private.trigger_problems() p on p.id = t.id where t.enabled and p.problem is not null order by t.id
            """,
            null,
            cancellationToken
        );

    /// <summary>The number of triggers that can't work, because of their tables, functions or roles.</summary>
    public Task<long> CountBrokenAsync(CancellationToken cancellationToken) =>
        dataSource.SingleAsync<long>("select count(distinct c.trigger) from functions.check_triggers() c", null, cancellationToken);

    /// <summary>Binds a trigger that follows a name to the table that now has the name.</summary>
    /// <returns>
    /// The table; null if the trigger is bound to it already, if no table has the name, or if the server refuses it, then with the reason.
    /// </returns>
    public async Task<(string? Table, string? Refusal)> FollowNameAsync(int trigger, CancellationToken cancellationToken)
    {
        try
        {
            var table = await dataSource
                .SingleOrDefaultAsync<string>("select functions_serving.follow_name(@trigger)::text", new { trigger }, cancellationToken)
                .ConfigureAwait(false);
            return (table, null);
        }
        catch (PostgresException e)
        {
            return (null, e.MessageText);
        }
    }

    private async Task<IReadOnlyList<TriggerDefinition>> LoadAsync(string sql, CancellationToken cancellationToken) =>
        [
            .. (await dataSource.QueryAsync<TriggerRow>(sql, null, cancellationToken).ConfigureAwait(false)).Select(row =>
                row.ToDefinition()
            ),
        ];

    /// <summary>A row of <c>functions_private.triggers</c> or <c>functions_private.former_triggers</c>.</summary>
    private sealed class TriggerRow
    {
        public int Id { get; init; }
        public required string Name { get; init; }
        public required string Function { get; init; }
        public uint Relation { get; init; }
        public required string[] Operations { get; init; }
        public required string[] Columns { get; init; }
        public string? Condition { get; init; }
        public required string[] OrderBy { get; init; }
        public int BatchSize { get; init; }
        public int? Retries { get; init; }
        public int BackoffMs { get; init; }
        public int MaxBackoffMs { get; init; }
        public int? TimeoutMs { get; init; }
        public string? Role { get; init; }
        public bool Enabled { get; init; }
        public NpgsqlLogSequenceNumber SinceLsn { get; init; }
        public required string Payload { get; init; }
        public bool IncludeOld { get; init; }
        public bool ConditionAsksOld { get; init; }
        public required string?[] TableColumns { get; init; }
        public NpgsqlLogSequenceNumber? EndedLsn { get; init; }

        public TriggerDefinition ToDefinition() =>
            new()
            {
                Id = Id,
                Name = Name,
                Function = Function,
                Relation = Relation,
                Operations = Operations.Aggregate(RowOperations.None, (all, one) => all | Enum.Parse<RowOperations>(one, ignoreCase: true)),
                Columns = Columns,
                Condition = Condition,
                OrderBy = OrderBy,
                BatchSize = BatchSize,
                Retries = Retries,
                Backoff = TimeSpan.FromMilliseconds(BackoffMs),
                MaxBackoff = TimeSpan.FromMilliseconds(MaxBackoffMs),
                Timeout = TimeoutMs is { } timeout ? TimeSpan.FromMilliseconds(timeout) : null,
                Role = Role,
                Enabled = Enabled,
                SinceLsn = (ulong)SinceLsn,
                Payload = Enum.Parse<PayloadShape>(Payload, ignoreCase: true),
                IncludeOld = IncludeOld,
                ConditionAsksOld = ConditionAsksOld,
                TableColumns = TableColumns,
                EndedLsn = EndedLsn is { } ended ? (ulong)ended : ulong.MaxValue,
            };
    }
}

/// <summary>A problem of a trigger.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">Its name.</param>
/// <param name="Problem">The problem, for people.</param>
/// <param name="FollowsName">Whether it moves to whichever table has its name.</param>
public sealed record TriggerProblem(int Id, string Name, string Problem, bool FollowsName);
