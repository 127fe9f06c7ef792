using System.Globalization;
using System.Text;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// A condition over the rows of a table, as a query that answers for many rows at once. Rows come as JSON objects of the values' texts by the columns' places;
/// the query makes typed columns of them, under the names that the condition uses.
/// </summary>
/// <param name="Relation">The table as it was.</param>
/// <param name="Sql">Takes two arrays of texts, old and new rows, and returns an array of booleans in their order.</param>
internal sealed record ConditionQuestion(PublishedRelation Relation, string Sql)
{
    /// <summary>A trigger's condition, over the rows old and new.</summary>
    public static ConditionQuestion OfTrigger(PublishedRelation relation, string condition, ColumnPlaces places) =>
        new(relation, Query(relation, Conjunct(1, condition, OldAndNew(relation, places.Names))));

    /// <summary>A backfill's condition over the row's columns, with the trigger's over new.</summary>
    public static ConditionQuestion OfBackfill(PublishedRelation relation, string? where, string? condition, ColumnPlaces places)
    {
        var names = relation.Columns.Select(column => (string?)column.Name).ToArray();
        var conjuncts = new List<string>();
        if (where is not null) conjuncts.Add(Conjunct(0, where, $"{Row(relation, names, "n")} t"));
        if (condition is not null) conjuncts.Add(Conjunct(1, condition, OldAndNew(relation, places.Names)));
        return new(relation, Query(relation, [.. conjuncts]));
    }

    private static string OldAndNew(PublishedRelation relation, string?[] names) => $"{Row(relation, names, "o")} old, {Row(relation, names, "n")} new";

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

    /// <summary>A row with its types. JSON's own types would take a text for a string of theirs, so they are cast; the others are read by their input functions.</summary>
    private static string Row(PublishedRelation relation, string?[] names, string source)
    {
        var (values, fields) = (new StringBuilder(), new StringBuilder());
        for (var i = 0; i < names.Length; i++)
        {
            if (names[i] is not { } name) continue;
            var type = i < relation.Catalog.TypeNames.Count ? relation.Catalog.TypeNames[i] ?? "text" : "text";
            var isJson = type is "json" or "jsonb";
            var comma = values.Length > 0 ? ", " : "";
            values.Append(CultureInfo.InvariantCulture, $"{comma}pgfn_value.\"{i}\"{(isJson ? "::" + type : "")} as {Quote(name)}");
            fields.Append(CultureInfo.InvariantCulture, $"{comma}\"{i}\" {(isJson ? "text" : type)}");
        }
        return values.Length == 0
            ? "(select)"
            : $"(select {values} from pg_catalog.jsonb_to_record(nullif(pgfn_row.{source}, '')::pg_catalog.jsonb) pgfn_value ({fields}))";
    }

    private static string Quote(string identifier) => "\"" + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
