using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Events as the columns in which they travel to the server: one array each.</summary>
internal sealed class InboxRows(int capacity)
{
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

    /// <summary>The statement with the columns as its first eleven parameters and the sidecar as the twelfth.</summary>
    public NpgsqlBatchCommand ToCommand(string sql, Guid sidecar)
    {
        var command = new NpgsqlBatchCommand(sql);
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
