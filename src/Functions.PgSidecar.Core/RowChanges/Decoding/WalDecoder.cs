using Functions.PgSidecar.Core.Events;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>
/// Decodes the stream's messages into events: tracks transactions and table definitions, matches triggers, writes payloads. Not
/// thread-safe.
/// </summary>
internal sealed class WalDecoder(TypeCatalog types, TableCatalog tables, byte[] contextKey, ulong lastXid) : IDisposable
{
    /// <summary>The role of events that a superuser or the installation's owner caused, if the trigger sets none.</summary>
    public const string DefaultRole = "service_role";

    private static readonly DateTime PostgresEpoch = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private readonly Dictionary<uint, PublishedRelation> relations = [];

    /// <summary>The tables of the current transaction's changes that came as messages.</summary>
    private readonly Dictionary<uint, PublishedRelation> carriedRelations = [];
    private readonly RowChange change = new();
    private readonly PartitionIdentities partitions = new();
    private readonly EventWriter writer = new();
    private readonly TransactionWriters writers = new(contextKey);
    private IReadOnlyList<TriggerDefinition> triggers = [];
    private CarriedChange? carried;
    private WalTransaction transaction;
    private long ordinal;
    private bool inTransaction;
    private ulong lastXid = lastXid;

    /// <summary>Whether a transaction has begun and not ended.</summary>
    public bool InTransaction
    {
        get => Volatile.Read(ref inTransaction);
        private set => Volatile.Write(ref inTransaction, value);
    }

    /// <summary>The tables that can be written to without capturing the writer.</summary>
    public IReadOnlySet<uint> CaptureGaps
    {
        set => writers.CaptureGaps = value;
    }

    /// <summary>Whether the stream has reached the migration that created the publication of updates and deletes.</summary>
    public bool SawPublications { get; private set; }

    /// <summary>Whether trigger definitions have changed, so that they must be loaded again before the next message.</summary>
    public bool TriggersChanged { get; private set; }

    public void Dispose() => writer.Dispose();

    /// <summary>The transaction's id.</summary>
    public ulong Transaction => transaction.FullXid;

    /// <summary>Sets the triggers, the current and the former ones.</summary>
    public void Attach(IReadOnlyList<TriggerDefinition> definitions)
    {
        triggers = definitions;
        TriggersChanged = false;
        foreach (var relation in relations.Values)
            relation.Attach(triggers);
    }

    /// <summary>Whether a message begins a transaction.</summary>
    public static bool IsBegin(ReadOnlySpan<byte> message) => message[0] == 'B';

    /// <summary>Whether a message describes a table, and must be passed to <see cref="DescribeAsync"/>.</summary>
    public static bool IsDescription(ReadOnlySpan<byte> message) => message[0] == 'R';

    /// <summary>Reads the description of a table. Looks up types that are not known yet.</summary>
    /// <returns>
    /// False if the catalog differs, because the transaction is not visible yet, or because the table has changed since. Values of a type
    /// that the catalog does not know are written as text.
    /// </returns>
    public async Task<bool> DescribeAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var (relation, typeIds) = PublishedRelation.Read(message.Span);
        var complete = true;
        for (var i = 0; i < typeIds.Length; i++)
        {
            var type = await types.GetAsync(typeIds[i], cancellationToken).ConfigureAwait(false);
            complete &= type != PostgresType.Unknown;
            relation.Columns[i] = relation.Columns[i] with { Type = type, TypeOid = typeIds[i] };
        }
        if (!relation.HoldsTriggers)
        {
            relation.Catalog = await tables.GetAsync(relation.Oid, typeIds, cancellationToken).ConfigureAwait(false);
            // The transaction itself may have renamed columns; the catalog shows that once the transaction is visible.
            complete &= ColumnPlaces.AreInOrder(relation.Columns, relation.Catalog.Columns);
        }
        relation.Attach(triggers);
        relations[relation.Oid] = relation;
        partitions.Describe(relation, relations);
        return complete;
    }

    /// <summary>
    /// Whether a message carries a change that is not published; if so, call <see cref="DescribeCarriedAsync"/> before <see cref="Apply"/>.
    /// </summary>
    public bool ReadCarried(ReadOnlySpan<byte> message)
    {
        carried = null;
        if (message[0] != 'M')
            return false;
        var reader = new WalMessageReader(message[1..]);
        if (reader.TryContent(CarriedChange.Prefix, out var content))
            carried = CarriedChange.Verify(content, contextKey, transaction.Xid);
        return carried is not null;
    }

    /// <summary>
    /// Looks up the table and the types of the change that <see cref="ReadCarried"/> has read, once for all similar changes of a
    /// transaction.
    /// </summary>
    /// <param name="isVisible">Whether the transaction is visible; if it is, what does not exist now will not appear later.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>False if the database does not know the table or one of the types, not yet or no longer.</returns>
    public async Task<bool> DescribeCarriedAsync(bool isVisible, CancellationToken cancellationToken)
    {
        if (carriedRelations.TryGetValue(carried!.Oid, out var relation) && carried.IsOf(relation))
            return true;
        var complete = true;
        for (var i = 0; i < carried.Columns.Length; i++)
        {
            var type = await types.GetAsync(carried.Columns[i].TypeOid, cancellationToken).ConfigureAwait(false);
            complete &= type != PostgresType.Unknown;
            carried.Columns[i] = carried.Columns[i] with { Type = type };
        }
        relation = carried.ToRelation();
        relation.Catalog = await tables
            .GetAsync(relation.Oid, [.. carried.Columns.Select(column => column.TypeOid)], cancellationToken)
            .ConfigureAwait(false);
        complete &= relation.Catalog.Owner != 0;
        if (!complete && !isVisible)
            return false;
        relation.Attach(triggers);
        carriedRelations[relation.Oid] = relation;
        return complete;
    }

    /// <summary>Applies any other message, and adds its events to the chunk.</summary>
    /// <returns>Whether it ended a transaction.</returns>
    public bool Apply(ReadOnlySpan<byte> message, InboxChunk chunk)
    {
        var reader = new WalMessageReader(message);
        switch (reader.Byte())
        {
            case (byte)'B':
                Begin(ref reader);
                carriedRelations.Clear();
                chunk.BeginTransaction();
                break;
            case (byte)'C':
                reader.Byte();
                reader.Lsn();
                chunk.EndTransaction(reader.Lsn());
                InTransaction = false;
                return true;
            case (byte)'I':
                Change(RowOperations.Insert, message, ref reader, chunk);
                break;
            case (byte)'U':
                Change(RowOperations.Update, message, ref reader, chunk);
                break;
            case (byte)'D':
                Change(RowOperations.Delete, message, ref reader, chunk);
                break;
            case (byte)'T':
                Truncate(message, ref reader, chunk);
                break;
            case (byte)'M':
                if (carried is not null)
                    Fire(carried, chunk);
                else
                    Message(reader);
                carried = null;
                break;
        }
        return false;
    }

    private void Begin(ref WalMessageReader reader)
    {
        var commitLsn = reader.Lsn();
        var committedAt = PostgresEpoch.AddTicks(reader.Int64() * TimeSpan.TicksPerMicrosecond);
        var xid = reader.UInt32();
        transaction = new WalTransaction(commitLsn, committedAt, xid, Extend(xid));
        writers.Begin(xid);
        ordinal = 0;
        InTransaction = true;
    }

    /// <summary>The 64-bit id nearest to the previous one.</summary>
    private ulong Extend(uint xid)
    {
        var distance = (int)(xid - (uint)lastXid);
        lastXid = (ulong)((long)lastXid + distance);
        return lastXid;
    }

    private void Message(WalMessageReader reader)
    {
        writers.Read(reader);
        if (reader.TryContent("functions.publications", out _))
            SawPublications = true;
    }

    private void Change(RowOperations operation, ReadOnlySpan<byte> message, ref WalMessageReader reader, InboxChunk chunk)
    {
        var relation = relations[reader.UInt32()];
        partitions.ChangeRead();
        ordinal++; // before any trigger is matched, so that the ordinal does not depend on the triggers
        if (relation.HoldsTriggers)
        {
            TriggersChanged = true;
            return;
        }
        if (relation.Triggers.Count == 0)
            return;
        change.Read(operation, ref reader);
        change.CheckOld(relation);
        Fire(relation, message, chunk);
    }

    /// <summary>Fires triggers for a change that came as a message.</summary>
    private void Fire(CarriedChange from, InboxChunk chunk)
    {
        ordinal++;
        var relation = carriedRelations[from.Oid];
        if (relation.Triggers.Count == 0)
            return;
        var reader = new WalMessageReader(from.Tuples);
        if (from.Error is null)
            change.Read(from.Operation, ref reader);
        else
            change.Unreadable(from.Operation);
        Fire(relation, from.Tuples, chunk, from.Error);
    }

    private void Truncate(ReadOnlySpan<byte> message, ref WalMessageReader reader, InboxChunk chunk)
    {
        var count = reader.Int32();
        reader.Byte();
        partitions.ChangeRead();
        change.Truncated();
        for (var i = 0; i < count; i++)
        {
            ordinal++;
            if (relations.TryGetValue(reader.UInt32(), out var relation))
                Fire(relation, message, chunk);
        }
    }

    private void Fire(PublishedRelation relation, ReadOnlySpan<byte> message, InboxChunk chunk, string? error = null)
    {
        foreach (var trigger in relation.Triggers)
        {
            if (!IsFor(trigger, message))
                continue;
            var definition = trigger.Definition;
            var id = EventId.Create(transaction.CommitLsn, ordinal, definition.Id);
            var one = new InboxEvent(
                id,
                transaction.CommittedAt,
                definition.Id,
                definition.Name,
                definition.Function,
                trigger.OrderBy.Length > 0 ? change.Key(message, trigger.OrderBy, definition.Id) : null,
                transaction.FullXid,
                default,
                writers.CallerOf(relation, trigger),
                writers.Context?.Depth ?? 0
            );
            if (error is not null)
            {
                chunk.Events.Add(one.Unreadable(chunk.Buffer, error));
                continue;
            }
            try
            {
                var fault = OldRowFault(relation, trigger);
                chunk.Events.Add(
                    one with
                    {
                        Payload = writer.Write(
                            chunk.Buffer,
                            new EventSource(id, transaction, relation, trigger, writers.Context),
                            message,
                            change
                        ),
                        Fault = fault,
                        Condition = fault is null ? trigger.Question : null,
                        Texts =
                            fault is null && trigger.Question is not null
                                ? writer.WriteTexts(chunk.Buffer, relation, message, change)
                                : null,
                    }
                );
            }
            catch (UnreadableChangeException e)
            {
                chunk.Events.Add(one.Unreadable(chunk.Buffer, e.Message));
            }
        }
    }

    /// <summary>
    /// Whether a change fires a trigger. If that depends on values that are missing, it does, and <see cref="OldRowFault"/> reports it.
    /// </summary>
    private bool IsFor(RelationTrigger trigger, ReadOnlySpan<byte> message)
    {
        if ((trigger.Definition.Operations & change.Operation) == 0 || !trigger.Definition.HoldsAt(transaction.CommitLsn))
            return false;
        if (change.Operation != RowOperations.Update || trigger.Columns.Length == 0)
            return true;
        foreach (var column in trigger.Columns)
        {
            if (change.MayHaveChanged(message, column))
                return true;
        }
        return false;
    }

    /// <summary>
    /// Why it is unknown whether a trigger that needs old values should fire: the table did not send them. Such a change is never skipped
    /// silently.
    /// </summary>
    private EventFault? OldRowFault(PublishedRelation relation, RelationTrigger trigger)
    {
        var definition = trigger.Definition;
        if (change.WholeOld is not null || change.Operation is not (RowOperations.Update or RowOperations.Delete))
            return null;
        var asksColumns = change.Operation == RowOperations.Update && trigger.Columns.Length > 0;
        if (!asksColumns && !(definition is { IncludeOld: true, Condition: not null, ConditionAsksOld: true }))
            return null;
        return new EventFault(
            "OLD_ROW_MISSING",
            $"Whether trigger {definition.Name} is to fire can't be told: "
                + $"{relation.Schema}.{relation.Name} did not send the whole old row. "
                + "Its replica identity was changed; the sidecar sets it back to FULL within seconds. functions.redrive delivers this event "
                + "all the same."
        );
    }
}

/// <summary>A transaction of the stream.</summary>
/// <param name="CommitLsn">The position of its commit record.</param>
/// <param name="CommittedAt">The time of the commit, by the server's clock.</param>
/// <param name="Xid">Its id, the lower 32 bits.</param>
/// <param name="FullXid">Its 64-bit id.</param>
internal readonly record struct WalTransaction(ulong CommitLsn, DateTime CommittedAt, uint Xid, ulong FullXid);
