using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>
/// Writes an array's text form, <c>[0:1]={1,NULL,"a \"b\"",{...}}</c>, as a JSON array. JSON has no lower bounds: they are dropped.
/// </summary>
internal ref struct ArrayWriter
{
    private readonly Utf8JsonWriter json;
    private readonly PostgresType element;
    private readonly byte delimiter;
    private readonly ReadOnlySpan<byte> text;
    private int position;

    private ArrayWriter(Utf8JsonWriter json, PostgresType type, ReadOnlySpan<byte> text)
    {
        this.json = json;
        this.text = text;
        element = type.Element!;
        delimiter = type.Delimiter;
    }

    public static void Write(Utf8JsonWriter json, PostgresType type, ReadOnlySpan<byte> text)
    {
        var writer = new ArrayWriter(json, type, text);
        writer.position = text is [(byte)'[', ..] ? text.IndexOf((byte)'=') + 1 : 0;
        writer.WriteLevel();
    }

    private void WriteLevel()
    {
        json.WriteStartArray();
        position++; // {
        while (text[position] != '}')
        {
            if (text[position] == '{')
                WriteLevel();
            else if (text[position] == '"')
                WriteQuoted();
            else
                WritePlain();
            if (text[position] == delimiter)
                position++;
        }
        position++;
        json.WriteEndArray();
    }

    private void WritePlain()
    {
        var rest = text[position..];
        var length = rest.IndexOfAny(delimiter, (byte)'}');
        var value = rest[..length];
        if (value.SequenceEqual("NULL"u8))
            json.WriteNullValue();
        else
            ValueWriter.Write(json, element, value);
        position += length;
    }

    private void WriteQuoted()
    {
        position++;
        var buffer = ArrayPool<byte>.Shared.Rent(text.Length - position);
        var length = 0;
        for (; text[position] != '"'; position++)
        {
            if (text[position] == '\\')
                position++;
            buffer[length++] = text[position];
        }
        position++;
        ValueWriter.Write(json, element, buffer.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(buffer);
    }
}
