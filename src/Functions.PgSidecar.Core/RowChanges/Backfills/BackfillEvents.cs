using System.Buffers;
using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Replication;
using Npgsql;

namespace Functions.PgSidecar.Core.RowChanges.Backfills;

/// <summary>Selected rows, as events on their way into the inbox.</summary>
/// <param name="source">What the events describe.</param>
/// <param name="question">The condition that selects the rows to store; null stores all.</param>
internal sealed class BackfillEvents(EventSource source, ConditionQuestion? question) : IDisposable
{
    private readonly EventWriter writer = new();
    private readonly RowChange change = new();
    private readonly ArrayBufferWriter<byte> tuple = new();
    private InboxChunk chunk = new();

    /// <summary>The number of events.</summary>
    public int Count => chunk.Events.Count;

    /// <summary>The size of their payloads in bytes.</summary>
    public int Bytes => chunk.Buffer.Length;

    /// <summary>Adds a row whose values are text.</summary>
    public void Add(NpgsqlDataReader row, int columns)
    {
        var message = TupleWriter.Write(row, columns, tuple).Span;
        var reader = new WalMessageReader(message);
        change.Read(RowOperations.Insert, ref reader);
        var id = Guid.CreateVersion7();
        var (definition, orderBy) = (source.Trigger.Definition, source.Trigger.OrderBy);
        var payload = writer.Write(chunk.Buffer, source with { Id = id }, message, change);
        chunk.Events.Add(
            new InboxEvent(
                id,
                source.Transaction.CommittedAt,
                definition.Id,
                definition.Name,
                definition.Function,
                orderBy.Length > 0 ? change.Key(message, orderBy, definition.Id) : null,
                0,
                payload,
                CapturedContext.WriteCaller(definition.Role, WalDecoder.DefaultRole, null, null),
                0
            )
            {
                Condition = question,
                Texts = question is not null ? writer.WriteTexts(chunk.Buffer, source.Relation, message, change) : null,
            }
        );
    }

    /// <summary>Removes the events that do not meet the condition.</summary>
    /// <exception cref="ConditionFailedException">The condition can't be evaluated for one of them.</exception>
    public async Task FilterAsync(ConditionFilter conditions, CancellationToken cancellationToken)
    {
        await conditions.ApplyAsync(chunk, cancellationToken).ConfigureAwait(false);
        if (chunk.Events.Find(one => one.Fault is not null).Fault is { } fault)
            throw new ConditionFailedException(
                fault.Message.Replace("The trigger's condition", "The condition", StringComparison.Ordinal),
                null
            );
    }

    /// <summary>The statement that stores the events, unclaimed.</summary>
    public NpgsqlBatchCommand ToCommand(Guid sidecar)
    {
        var rows = new InboxRows(Count);
        foreach (var one in chunk.Events)
            rows.Add(one, chunk.Slice(one.Payload), isClaimed: false);
        return rows.ToCommand(sidecar, onlyMissing: false);
    }

    /// <summary>Empties the buffer after its events were stored.</summary>
    public void Clear()
    {
        chunk.Dispose();
        chunk = new InboxChunk();
    }

    public void Dispose()
    {
        chunk.Dispose();
        writer.Dispose();
    }
}
