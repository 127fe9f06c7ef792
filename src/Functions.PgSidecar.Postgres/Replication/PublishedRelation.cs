using System.Text.Json;
using Functions.PgSidecar.Postgres.Events;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>A column of a published table, as it was when the changes that follow were made.</summary>
/// <param name="Name">Its name.</param>
/// <param name="JsonName">The name as a member of a JSON object.</param>
/// <param name="Type">How its values are written.</param>
/// <param name="IsKey">Whether it is part of the replica identity.</param>
internal readonly record struct PublishedColumn(string Name, JsonEncodedText JsonName, PostgresType Type, bool IsKey)
{
    /// <summary>pg_type.oid.</summary>
    public uint TypeOid { get; init; }

    /// <summary>pg_attribute.attnum of the trigger's table, where the change says so; 0: not known.</summary>
    public int Number { get; init; }
}

/// <summary>A table as the stream describes it; described again, as a new instance, whenever its definition has changed.</summary>
internal sealed class PublishedRelation(uint oid, string schema, string name, char identity, PublishedColumn[] columns)
{
    /// <summary>pg_class.oid.</summary>
    public uint Oid => oid;

    public string Schema => schema;

    public string Name => name;

    /// <summary>Whether old rows come whole (REPLICA IDENTITY FULL).</summary>
    public bool HasFullIdentity => identity == 'f';

    public PublishedColumn[] Columns => columns;

    /// <summary>
    /// Of a partitioned table: the keys of partitions that do not send whole old rows, by this table's columns. What the server says of their rows is the
    /// root's identity, not theirs.
    /// </summary>
    public IReadOnlyList<bool[]> PartialKeys { get; set; } = [];

    /// <summary>The triggers on it.</summary>
    public IReadOnlyList<RelationTrigger> Triggers { get; private set; } = [];

    /// <summary>Whether this is the table of the triggers themselves.</summary>
    public bool HoldsTriggers => schema == "functions_private" && name == "triggers";

    /// <summary>The table as the catalogue has it now, which may be later than the changes.</summary>
    public CatalogTable Catalog { get; set; } = CatalogTable.Unknown;

    /// <summary>Takes the triggers that are on it.</summary>
    public void Attach(IEnumerable<TriggerDefinition> triggers) =>
        Triggers = [.. triggers.Where(trigger => trigger.Relation == oid).Select(Attach)];

    private RelationTrigger Attach(TriggerDefinition trigger)
    {
        var places = ColumnPlaces.Find(columns, Catalog, trigger.TableColumns);
        return new RelationTrigger(trigger, places.Of(trigger.Columns), places.Of(trigger.OrderBy))
        {
            Question = trigger.Condition is { } condition ? ConditionQuestion.OfTrigger(this, condition, places) : null,
        };
    }
}

/// <summary>A trigger on a relation, its columns found.</summary>
/// <param name="Definition">The trigger.</param>
/// <param name="Columns">The places of its columns; empty: any.</param>
/// <param name="OrderBy">The places of what its events are ordered by.</param>
internal sealed record RelationTrigger(TriggerDefinition Definition, int[] Columns, int[] OrderBy)
{
    /// <summary>Its condition, or null.</summary>
    public ConditionQuestion? Question { get; init; }

    /// <summary>Its name, as JSON.</summary>
    public JsonEncodedText JsonName { get; } = JsonEncodedText.Encode(Definition.Name);

    /// <summary>The names of its events' members.</summary>
    public PayloadNames Names { get; } = PayloadNames.Of(Definition.Payload);

    /// <summary>The caller of changes that come without a context: a superuser's or the owner's.</summary>
    public string Nobody { get; } = CapturedContext.WriteCaller(Definition.Role, WalDecoder.DefaultRole, null, null);

    /// <summary>The same where the context may be missing because capture is off: whoever it was, with the least rights.</summary>
    public string Unknown { get; } = CapturedContext.WriteCaller(Definition.Role, CapturedContext.Unreadable.Role, null, null);
}
