using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Replication;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Core.RowChanges.Decoding;

/// <summary>Writes the rows of a change as JSON: with the values in the form that <c>db.query</c> returns, or as texts.</summary>
internal static class RowWriter
{
    public static JsonWriterOptions Options { get; } =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Writes an object of the row's columns.</summary>
    /// <param name="json">The output.</param>
    /// <param name="relation">The row's table.</param>
    /// <param name="message">The message that contains the values.</param>
    /// <param name="row">The row.</param>
    /// <param name="fallback">The old row, from which an unchanged value is taken if it has it.</param>
    /// <param name="keyOnly">Whether only the columns of the replica identity have values.</param>
    /// <param name="key">The key columns, if they differ from the table's own.</param>
    public static void Write(
        Utf8JsonWriter json,
        PublishedRelation relation,
        ReadOnlySpan<byte> message,
        TupleData row,
        TupleData? fallback,
        bool keyOnly,
        bool[]? key = null
    )
    {
        json.WriteStartObject();
        for (var i = 0; i < row.Count && i < relation.Columns.Length; i++)
        {
            ref readonly var column = ref relation.Columns[i];
            if (keyOnly && !(key is null ? column.IsKey : i < key.Length && key[i]))
                continue;
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

    /// <summary>Writes an object of the row's values as PostgreSQL's texts, each under the column's position: "0" is the first.</summary>
    public static void WriteTexts(
        Utf8JsonWriter json,
        PublishedRelation relation,
        ReadOnlySpan<byte> message,
        TupleData row,
        TupleData? fallback
    )
    {
        Span<byte> place = stackalloc byte[8];
        json.WriteStartObject();
        for (var i = 0; i < row.Count && i < relation.Columns.Length; i++)
        {
            var source = row.State(i) == ColumnState.Unchanged && fallback is not null ? fallback : row;
            if (source.State(i) != ColumnState.Text)
                continue;
            Utf8Formatter.TryFormat(i, place, out var length);
            json.WriteString(place[..length], source.Text(message, i));
        }
        json.WriteEndObject();
    }

    /// <summary>Writes the names of the columns whose values did not change and are unknown.</summary>
    public static void WriteUnknown(Utf8JsonWriter json, PublishedRelation relation, TupleData row, TupleData? fallback)
    {
        var begun = false;
        for (var i = 0; i < row.Count && i < relation.Columns.Length; i++)
        {
            if (row.State(i) != ColumnState.Unchanged || fallback?.State(i) is ColumnState.Text or ColumnState.Null)
                continue;
            if (!begun)
                json.WriteStartArray("unchanged_columns"u8);
            begun = true;
            json.WriteStringValue(relation.Columns[i].JsonName);
        }
        if (begun)
            json.WriteEndArray();
    }
}
