using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Triggers;
using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>A column of a published table, at the time of the changes that follow.</summary>
/// <param name="Name">Its name.</param>
/// <param name="JsonName">The name as a member of a JSON object.</param>
/// <param name="Type">How its values are written.</param>
/// <param name="IsKey">Whether it is part of the replica identity.</param>
internal readonly record struct PublishedColumn(string Name, JsonEncodedText JsonName, PostgresType Type, bool IsKey)
{
    /// <summary>pg_type.oid.</summary>
    public uint TypeOid { get; init; }

    /// <summary>pg_attribute.attnum in the trigger's table, if the change contains it; 0 if unknown.</summary>
    public int Number { get; init; }
}

/// <summary>A table as the stream describes it. When its definition changes, a new instance is created.</summary>
internal sealed class PublishedRelation(uint oid, string schema, string name, char identity, PublishedColumn[] columns)
{
    /// <summary>pg_class.oid.</summary>
    public uint Oid => oid;

    public string Schema => schema;

    public string Name => name;

    /// <summary>Whether old rows are complete (REPLICA IDENTITY FULL).</summary>
    public bool HasFullIdentity => identity == 'f';

    public PublishedColumn[] Columns => columns;

    /// <summary>
    /// For a partitioned table: the keys of the partitions that do not send complete old rows, by this table's columns. For their rows the
    /// server reports the root's identity, not their own.
    /// </summary>
    public IReadOnlyList<bool[]> PartialKeys { get; set; } = [];

    /// <summary>The table's triggers.</summary>
    public IReadOnlyList<RelationTrigger> Triggers { get; private set; } = [];

    /// <summary>Whether this is the table that stores the trigger definitions.</summary>
    public bool HoldsTriggers => schema == "functions_private" && name == "triggers";

    /// <summary>The table as the catalog has it now, which may be later than the changes.</summary>
    public CatalogTable Catalog { get; set; } = CatalogTable.Unknown;

    /// <summary>Reads the description of a table. The types of its columns have to be looked up.</summary>
    /// <returns>The table, and the ids of its columns' types.</returns>
    public static (PublishedRelation Relation, uint[] Types) Read(ReadOnlySpan<byte> message)
    {
        var reader = new WalMessageReader(message[1..]);
        var oid = reader.UInt32();
        var schema = reader.Text();
        var name = reader.Text();
        var identity = (char)reader.Byte();
        var columns = new PublishedColumn[reader.Int16()];
        var typeIds = new uint[columns.Length];
        for (var i = 0; i < columns.Length; i++)
        {
            var isKey = (reader.Byte() & 1) == 1;
            var column = reader.Text();
            typeIds[i] = reader.UInt32();
            reader.Int32(); // the type's modifier
            columns[i] = new PublishedColumn(
                column,
                JsonEncodedText.Encode(column, RowWriter.Options.Encoder),
                PostgresType.Unknown,
                isKey
            );
        }
        return (new PublishedRelation(oid, schema.Length == 0 ? "pg_catalog" : schema, name, identity, columns), typeIds);
    }

    /// <summary>Attaches the triggers of this table.</summary>
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

/// <summary>A trigger on a relation, with its columns resolved.</summary>
/// <param name="Definition">The trigger.</param>
/// <param name="Columns">The positions of its columns; empty means any.</param>
/// <param name="OrderBy">The positions of its ordering columns.</param>
internal sealed record RelationTrigger(TriggerDefinition Definition, int[] Columns, int[] OrderBy)
{
    /// <summary>Its condition, or null.</summary>
    public ConditionQuestion? Question { get; init; }

    /// <summary>Its name, encoded as JSON.</summary>
    public JsonEncodedText JsonName { get; } = JsonEncodedText.Encode(Definition.Name);

    /// <summary>The names of its events' members.</summary>
    public PayloadNames Names { get; } = PayloadNames.Of(Definition.Payload);

    /// <summary>The caller of changes without a context: they were made by a superuser or the owner.</summary>
    public string OwnerCaller { get; } = CapturedContext.WriteCaller(Definition.Role, WalDecoder.DefaultRole, null, null);

    /// <summary>
    /// The caller of changes whose context may be missing because capture is disabled: the writer is unknown, so it gets the fewest
    /// privileges.
    /// </summary>
    public string UnknownCaller { get; } = CapturedContext.WriteCaller(Definition.Role, CapturedContext.Unreadable.Role, null, null);
}
