using System.Collections.Frozen;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>How the text of a value becomes JSON.</summary>
internal enum ValueForm : byte
{
    /// <summary>
    /// A string, as the server wrote it: text, numeric, uuid, interval, date, time, ranges, enums and everything unknown.
    /// </summary>
    Text,
    Boolean,

    /// <summary>A number that JSON and JavaScript hold exactly: int2, int4, oid.</summary>
    Integer,

    /// <summary>A number within plus or minus 2^53 - 1, beyond that a string.</summary>
    BigInteger,

    /// <summary>A number; NaN and the infinities are strings.</summary>
    Float,

    /// <summary>Embedded as it is.</summary>
    Json,

    /// <summary>ISO 8601 without a zone.</summary>
    Timestamp,

    /// <summary>ISO 8601 in UTC, with Z.</summary>
    TimestampTz,

    /// <summary>Base64.</summary>
    Bytes,
    Array,

    /// <summary>An object of its attributes.</summary>
    Composite,

    /// <summary>An array of numbers: the types vector and halfvec of pgvector, whose text is one.</summary>
    Vector,

    /// <summary>An array of numbers: the type sparsevec of pgvector. A string if it has more dimensions than a vector may have.</summary>
    SparseVector,
}

/// <summary>The properties of a PostgreSQL type that results need.</summary>
internal sealed record PostgresType(string Name, ValueForm Form)
{
    private static readonly FrozenDictionary<uint, PostgresType> BuiltIns = MakeBuiltIns();

    /// <summary>The element of an array.</summary>
    public PostgresType? Element { get; init; }

    /// <summary>The separator of an array's elements: a comma for all types but box.</summary>
    public byte Delimiter { get; init; } = (byte)',';

    /// <summary>The attributes of a composite, in order.</summary>
    public IReadOnlyList<PostgresAttribute> Attributes { get; init; } = [];

    /// <summary>Call when a composite's value does not have these attributes.</summary>
    public Action? Outdated { get; init; }

    /// <summary>An unknown type: its values are strings.</summary>
    public static PostgresType Unknown { get; } = new("unknown", ValueForm.Text);

    /// <summary>The types whose oids are the same in every database.</summary>
    public static bool TryGetBuiltIn(uint oid, out PostgresType type) => BuiltIns.TryGetValue(oid, out type!);

    public static PostgresType ArrayOf(PostgresType element, byte delimiter = (byte)',') =>
        new(element.Name + "[]", ValueForm.Array) { Element = element, Delimiter = delimiter };

    // pg_type.dat: oid, array's oid, name.
    private static FrozenDictionary<uint, PostgresType> MakeBuiltIns()
    {
        var types = new Dictionary<uint, PostgresType>();
        void Add(uint oid, uint array, string name, ValueForm form)
        {
            var type = new PostgresType(name, form);
            types.Add(oid, type);
            if (array != 0)
                types.Add(array, ArrayOf(type));
        }

        Add(16, 1000, "bool", ValueForm.Boolean);
        Add(17, 1001, "bytea", ValueForm.Bytes);
        Add(18, 1002, "char", ValueForm.Text);
        Add(19, 1003, "name", ValueForm.Text);
        Add(20, 1016, "int8", ValueForm.BigInteger);
        Add(21, 1005, "int2", ValueForm.Integer);
        Add(23, 1007, "int4", ValueForm.Integer);
        Add(25, 1009, "text", ValueForm.Text);
        Add(26, 1028, "oid", ValueForm.Integer);
        Add(114, 199, "json", ValueForm.Json);
        Add(700, 1021, "float4", ValueForm.Float);
        Add(701, 1022, "float8", ValueForm.Float);
        Add(1042, 1014, "bpchar", ValueForm.Text);
        Add(1043, 1015, "varchar", ValueForm.Text);
        Add(1082, 1182, "date", ValueForm.Text);
        Add(1083, 1183, "time", ValueForm.Text);
        Add(1114, 1115, "timestamp", ValueForm.Timestamp);
        Add(1184, 1185, "timestamptz", ValueForm.TimestampTz);
        Add(1186, 1187, "interval", ValueForm.Text);
        Add(1266, 1270, "timetz", ValueForm.Text);
        Add(1700, 1231, "numeric", ValueForm.Text);
        Add(2278, 0, "void", ValueForm.Text);
        Add(2249, 2287, "record", ValueForm.Text);
        Add(2950, 2951, "uuid", ValueForm.Text);
        Add(3802, 3807, "jsonb", ValueForm.Json);
        return types.ToFrozenDictionary();
    }
}

/// <summary>An attribute of a composite type.</summary>
internal readonly record struct PostgresAttribute(string Name, PostgresType Type);
