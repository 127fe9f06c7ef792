using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>Writes the rows of a change as JSON: the values as <c>db.query</c> gives them, or as texts.</summary>
internal static class RowWriter
{
    public static JsonWriterOptions Options { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>An object of the row's columns.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="relation">The row's table.</param>
    /// <param name="message">The message the values lie in.</param>
    /// <param name="row">The row.</param>
    /// <param name="fallback">The old row: an unchanged value is taken from it where it has it.</param>
    /// <param name="keyOnly">Whether only the columns of the replica identity mean something.</param>
    /// <param name="key">Which those are, where the table itself does not say.</param>
    public static void Write(
        Utf8JsonWriter json, PublishedRelation relation, ReadOnlySpan<byte> message, TupleData row, TupleData? fallback, bool keyOnly, bool[]? key = null)
    {
        json.WriteStartObject();
        for (var i = 0; i < row.Count && i < relation.Columns.Length; i++)
        {
            ref readonly var column = ref relation.Columns[i];
            if (keyOnly && !(key is null ? column.IsKey : i < key.Length && key[i])) continue;
            var source = row.State(i) == ColumnState.Unchanged && fallback is not null ? fallback : row;
            if (source.State(i) == ColumnState.Text)
            {
                json.WritePropertyName(column.JsonName);
                ValueWriter.Write(json, column.Type, source.Text(message, i));
            }
            else if (source.State(i) == ColumnState.Null)
            {
                json.WriteNull(column.JsonName);
            }
        }
        json.WriteEndObject();
    }

    /// <summary>The same, every value as the text PostgreSQL reads, under the column's place: "0" is the first one's.</summary>
    public static void WriteTexts(Utf8JsonWriter json, PublishedRelation relation, ReadOnlySpan<byte> message, TupleData row, TupleData? fallback)
    {
        Span<byte> place = stackalloc byte[8];
        json.WriteStartObject();
        for (var i = 0; i < row.Count && i < relation.Columns.Length; i++)
        {
            var source = row.State(i) == ColumnState.Unchanged && fallback is not null ? fallback : row;
            if (source.State(i) != ColumnState.Text) continue;
            Utf8Formatter.TryFormat(i, place, out var length);
            json.WriteString(place[..length], source.Text(message, i));
        }
        json.WriteEndObject();
    }

    /// <summary>The names of the columns whose values did not change and are not known.</summary>
    public static void WriteUnknown(Utf8JsonWriter json, PublishedRelation relation, TupleData row, TupleData? fallback)
    {
        var begun = false;
        for (var i = 0; i < row.Count && i < relation.Columns.Length; i++)
        {
            if (row.State(i) != ColumnState.Unchanged || fallback?.State(i) is ColumnState.Text or ColumnState.Null) continue;
            if (!begun) json.WriteStartArray("unchanged_columns"u8);
            begun = true;
            json.WriteStringValue(relation.Columns[i].JsonName);
        }
        if (begun) json.WriteEndArray();
    }
}
