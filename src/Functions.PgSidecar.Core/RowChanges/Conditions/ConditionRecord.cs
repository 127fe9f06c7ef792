using System.Buffers;
using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Postgres.Results;

namespace Functions.PgSidecar.Core.RowChanges.Conditions;

/// <summary>
/// The rows that a condition was evaluated for, as a dead letter stores them so that the condition can be evaluated again:
/// <c>{"columns":[["name",type's oid,number or 0]],"old":{texts},"new":{texts}}</c>; a row that does not exist is null.
/// </summary>
internal sealed record ConditionRecord(
    IReadOnlyList<(string Name, uint Type, int Number)> Columns,
    ReadOnlyMemory<byte> Old,
    ReadOnlyMemory<byte> New
)
{
    public static string Write(PublishedRelation relation, ReadOnlyMemory<byte> old, ReadOnlyMemory<byte> @new)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, RowWriter.Options);
        json.WriteStartObject();
        json.WriteStartArray("columns"u8);
        foreach (var column in relation.Columns)
        {
            json.WriteStartArray();
            json.WriteStringValue(column.JsonName);
            json.WriteNumberValue(column.TypeOid);
            json.WriteNumberValue(column.Number);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        json.WritePropertyName("old"u8);
        json.WriteRawValue(old.Length > 0 ? old.Span : "null"u8, skipInputValidation: true);
        json.WritePropertyName("new"u8);
        json.WriteRawValue(@new.Length > 0 ? @new.Span : "null"u8, skipInputValidation: true);
        json.WriteEndObject();
        json.Flush();
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static ConditionRecord Read(string text)
    {
        using var document = JsonDocument.Parse(text);
        var root = document.RootElement;
        return new ConditionRecord(
            [
                .. root.GetProperty("columns")
                    .EnumerateArray()
                    .Select(column => (column[0].GetString()!, column[1].GetUInt32(), column[2].GetInt32())),
            ],
            Row(root.GetProperty("old")),
            Row(root.GetProperty("new"))
        );
    }

    /// <summary>The table at the time of the change.</summary>
    public async Task<PublishedRelation> DescribeAsync(uint table, TableCatalog tables, CancellationToken cancellationToken)
    {
        var columns = Columns.Select(column => new PublishedColumn(
            column.Name,
            JsonEncodedText.Encode(column.Name, RowWriter.Options.Encoder),
            PostgresType.Unknown,
            false
        )
        {
            TypeOid = column.Type,
            Number = column.Number,
        });
        return new PublishedRelation(table, "", "", 'f', [.. columns])
        {
            Catalog = await tables.GetAsync(table, [.. Columns.Select(column => column.Type)], cancellationToken).ConfigureAwait(false),
        };
    }

    private static ReadOnlyMemory<byte> Row(JsonElement row) =>
        row.ValueKind == JsonValueKind.Null ? default : Encoding.UTF8.GetBytes(row.GetRawText());
}
