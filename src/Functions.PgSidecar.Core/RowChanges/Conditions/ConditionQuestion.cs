using System.Globalization;
using System.Text;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Postgres.Statements;

namespace Functions.PgSidecar.Core.RowChanges.Conditions;

/// <summary>
/// A condition over the rows of a table, as a query that returns the answers for many rows at once. Rows are JSON objects that hold each
/// value's text under the column's position; the query converts them to typed columns with the names that the condition uses.
/// </summary>
/// <param name="Relation">The table at the time of the change.</param>
/// <param name="Sql">Takes two arrays of texts, the old and the new rows, and returns an array of booleans in the same order.</param>
internal sealed record ConditionQuestion(PublishedRelation Relation, string Sql)
{
    /// <summary>A trigger's condition, over the rows old and new.</summary>
    public static ConditionQuestion OfTrigger(PublishedRelation relation, string condition, ColumnPlaces places) =>
        new(relation, Query(relation, Conjunct(1, condition, OldAndNew(relation, places.Names))));

    /// <summary>A backfill's condition over the row's columns, combined with the trigger's condition over new.</summary>
    public static ConditionQuestion OfBackfill(PublishedRelation relation, string? where, string? condition, ColumnPlaces places)
    {
        var names = relation.Columns.Select(column => (string?)column.Name).ToArray();
        var conjuncts = new List<string>();
        if (where is not null)
            conjuncts.Add(Conjunct(0, where, $"{Row(relation, names, "n")} t"));
        if (condition is not null)
            conjuncts.Add(Conjunct(1, condition, OldAndNew(relation, places.Names)));
        return new(relation, Query(relation, [.. conjuncts]));
    }

    private static string OldAndNew(PublishedRelation relation, string?[] names) =>
        $"{Row(relation, names, "o")} old, {Row(relation, names, "n")} new";

    private static string Conjunct(int number, string condition, string rows) =>
        string.Create(CultureInfo.InvariantCulture, $"lateral (select (\n{condition}\n) as holds from {rows}) pgfn_{number}");

    private static string Query(PublishedRelation relation, params string[] conjuncts)
    {
        var holds = string.Join(" and ", conjuncts.Select(conjunct => conjunct[(conjunct.LastIndexOf(' ') + 1)..] + ".holds"));
        return $"""
            select array(select coalesce({holds}, false)
            from unnest($1, $2) with ordinality pgfn_row (o, n, i), {string.Join(", ", conjuncts)} order by pgfn_row.i)
            """;
    }

    /// <summary>
    /// A row with its types. Values of json and jsonb are cast, because those types would read a text as a JSON string; all other values
    /// are read by their types' input functions.
    /// </summary>
    private static string Row(PublishedRelation relation, string?[] names, string source)
    {
        var (values, fields) = (new StringBuilder(), new StringBuilder());
        for (var i = 0; i < names.Length; i++)
        {
            if (names[i] is not { } name)
                continue;
            var type = i < relation.Catalog.TypeNames.Length ? relation.Catalog.TypeNames[i] ?? "text" : "text";
            var isJson = type is "json" or "jsonb";
            var comma = values.Length > 0 ? ", " : "";
            values.Append(
                CultureInfo.InvariantCulture,
                $"{comma}pgfn_value.\"{i}\"{(isJson ? "::" + type : "")} as {SqlIdentifier.Quote(name)}"
            );
            fields.Append(CultureInfo.InvariantCulture, $"{comma}\"{i}\" {(isJson ? "text" : type)}");
        }
        return values.Length == 0
            ? "(select)"
            : $"(select {values} from pg_catalog.jsonb_to_record(nullif(pgfn_row.{source}, '')::pg_catalog.jsonb) pgfn_value ({fields}))";
    }
}
