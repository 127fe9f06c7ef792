using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Events;

/// <summary>Events as the columns in which they are sent to the server: one array per column.</summary>
internal sealed class InboxRows(int capacity)
{
    private const string StoreSql = """
        with stored as (
            insert into functions_private.events (id, occurred_at, kind, function, trigger, payload, caller, depth)
            select unnest($1), unnest($2), 'database', unnest($3), unnest($4), unnest($6), unnest($7), unnest($8)
        )
        insert into functions_private.deliveries (event_id, occurred_at, function, trigger_id, order_key, run_at, claims, claimed_by, xid)
        select g.id, g.occurred_at, g.function, g.trigger_id, g.order_key, g.occurred_at, g.claimed::integer, case when g.claimed then $12 end, g.xid
        from (
            select unnest($1) as id, unnest($2) as occurred_at, unnest($3) as function, unnest($5) as trigger_id, unnest($9) as order_key,
                unnest($10) as claimed, unnest($11) as xid
        ) g
        """;

    /// <summary>Checking for existing rows and joining the missing ones costs a quarter of the statement's time.</summary>
    private const string StoreMissingSql = """
        with given as materialized (
            select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                as g (id, occurred_at, function, trigger, trigger_id, payload, caller, depth, order_key, claimed, xid)
        ), stored as (
            insert into functions_private.events (id, occurred_at, kind, function, trigger, payload, caller, depth)
            select id, occurred_at, 'database', function, trigger, payload, caller, depth from given
            on conflict do nothing
            returning id
        )
        insert into functions_private.deliveries (event_id, occurred_at, function, trigger_id, order_key, run_at, claims, claimed_by, xid)
        select g.id, g.occurred_at, g.function, g.trigger_id, g.order_key, g.occurred_at, g.claimed::integer, case when g.claimed then $12 end, g.xid
        from given g where g.id in (select s.id from stored s)
        """;

    private readonly List<Guid> ids = new(capacity);
    private readonly List<DateTime> times = new(capacity);
    private readonly List<string> functions = new(capacity);
    private readonly List<string> triggers = new(capacity);
    private readonly List<int> triggerIds = new(capacity);
    private readonly List<ReadOnlyMemory<byte>> payloads = new(capacity);
    private readonly List<string> callers = new(capacity);
    private readonly List<short> depths = new(capacity);
    private readonly List<long?> orderKeys = new(capacity);
    private readonly List<bool> claimed = new(capacity);
    private readonly List<ulong> transactions = new(capacity);

    public void Add(in InboxEvent row, ReadOnlyMemory<byte> payload, bool isClaimed)
    {
        ids.Add(row.Id);
        times.Add(row.OccurredAt);
        functions.Add(row.Function);
        triggers.Add(row.Trigger);
        triggerIds.Add(row.TriggerId);
        payloads.Add(payload);
        callers.Add(row.Caller);
        depths.Add(row.Depth);
        orderKeys.Add(row.OrderKey);
        claimed.Add(isClaimed);
        transactions.Add(row.Xid);
    }

    /// <summary>The number of events.</summary>
    public int Count => ids.Count;

    /// <summary>The statement that stores them.</summary>
    /// <param name="sidecar">The sidecar that gets the claimed events.</param>
    /// <param name="onlyMissing">Whether to skip events that are stored already; otherwise they are a unique violation.</param>
    public NpgsqlBatchCommand ToCommand(Guid sidecar, bool onlyMissing)
    {
        var command = new NpgsqlBatchCommand(onlyMissing ? StoreMissingSql : StoreSql);
        Add(command, ids, NpgsqlDbType.Uuid);
        Add(command, times, NpgsqlDbType.TimestampTz);
        Add(command, functions, NpgsqlDbType.Text);
        Add(command, triggers, NpgsqlDbType.Text);
        Add(command, triggerIds, NpgsqlDbType.Integer);
        Add(command, payloads, NpgsqlDbType.Json);
        Add(command, callers, NpgsqlDbType.Json);
        Add(command, depths, NpgsqlDbType.Smallint);
        Add(command, orderKeys, NpgsqlDbType.Bigint);
        Add(command, claimed, NpgsqlDbType.Boolean);
        Add(command, transactions, NpgsqlDbType.Xid8);
        command.Parameters.Add(new NpgsqlParameter { Value = sidecar });
        return command;
    }

    private static void Add<T>(NpgsqlBatchCommand command, List<T> column, NpgsqlDbType type) =>
        command.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | type, Value = column });
}
