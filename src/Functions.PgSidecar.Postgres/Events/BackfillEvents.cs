using System.Buffers;
using Functions.PgSidecar.Postgres.Replication;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Events;

/// <summary>Rows that were selected, as events on their way into the inbox.</summary>
internal sealed class BackfillEvents(EventSource source) : IDisposable
{
    private readonly EventWriter writer = new();
    private readonly RowChange change = new();
    private readonly ArrayBufferWriter<byte> tuple = new();
    private readonly List<InboxEvent> events = [];
    private PooledWriter payloads = new(1 << 16);

    /// <summary>How many there are.</summary>
    public int Count => events.Count;

    /// <summary>The size of their payloads.</summary>
    public int Bytes => payloads.Length;

    /// <summary>Takes a row whose values come as text.</summary>
    public void Add(NpgsqlDataReader row, int columns)
    {
        var message = TupleWriter.Write(row, columns, tuple).Span;
        var reader = new WalMessageReader(message);
        change.Read(RowOperations.Insert, ref reader);
        var id = Guid.CreateVersion7();
        var (definition, orderBy) = (source.Trigger.Definition, source.Trigger.OrderBy);
        var payload = writer.Write(payloads, source with { Id = id }, message, change);
        events.Add(new InboxEvent(
            id, source.Transaction.CommittedAt, definition.Id, definition.Name, definition.Function,
            orderBy.Length > 0 ? change.Key(message, orderBy, definition.Id) : null, 0, payload,
            CapturedContext.WriteCaller(definition.Role, WalDecoder.DefaultRole, null, null), 0));
    }

    /// <summary>The statement that stores them, for whoever claims them.</summary>
    public NpgsqlBatchCommand ToCommand(Guid sidecar)
    {
        var rows = new InboxRows(events.Count);
        foreach (var one in events) rows.Add(one, payloads.Written[one.Payload], isClaimed: false);
        return rows.ToCommand(sidecar, onlyMissing: false);
    }

    /// <summary>They are stored: makes room for the next ones.</summary>
    public void Clear()
    {
        events.Clear();
        payloads.Dispose();
        payloads = new PooledWriter(1 << 16);
    }

    public void Dispose()
    {
        payloads.Dispose();
        writer.Dispose();
    }
}
