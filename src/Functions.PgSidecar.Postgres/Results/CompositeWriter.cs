using System.Buffers;
using System.Text.Json;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>Writes a composite's text form, <c>(1,,"a ""b""")</c>, as a JSON object of its attributes.</summary>
internal static class CompositeWriter
{
    public static void Write(Utf8JsonWriter json, PostgresType type, ReadOnlySpan<byte> text)
    {
        if (CountFields(text, type.Attributes.Count) != type.Attributes.Count)
        {
            // Attributes were added or dropped since the catalog was read: this value stays text; the next result uses the new ones.
            type.Outdated?.Invoke();
            ValueWriter.WriteText(json, text);
            return;
        }

        json.WriteStartObject();
        var position = 1; // (
        foreach (var attribute in type.Attributes)
        {
            json.WritePropertyName(attribute.Name);
            position = text[position] switch
            {
                (byte)',' or (byte)')' => WriteNull(json, position),
                (byte)'"' => WriteQuoted(json, attribute.Type, text, position),
                _ => WritePlain(json, attribute.Type, text, position),
            };
            position++; // , or )
        }
        json.WriteEndObject();
    }

    private static int WriteNull(Utf8JsonWriter json, int position)
    {
        json.WriteNullValue();
        return position;
    }

    private static int WritePlain(Utf8JsonWriter json, PostgresType type, ReadOnlySpan<byte> text, int position)
    {
        var length = text[position..].IndexOfAny((byte)',', (byte)')');
        ValueWriter.Write(json, type, text.Slice(position, length));
        return position + length;
    }

    private static int WriteQuoted(Utf8JsonWriter json, PostgresType type, ReadOnlySpan<byte> text, int position)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(text.Length - position);
        var length = 0;
        for (position++; text[position] != '"' || text[position + 1] == '"'; position++)
        {
            if (text[position] is (byte)'\\' or (byte)'"')
                position++;
            buffer[length++] = text[position];
        }
        ValueWriter.Write(json, type, buffer.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(buffer);
        return position + 1;
    }

    /// <summary>"()" has no attribute, or one that is null: the expected number decides.</summary>
    private static int CountFields(ReadOnlySpan<byte> text, int expected)
    {
        if (text.SequenceEqual("()"u8))
            return Math.Min(expected, 1);
        var fields = 1;
        var quoted = false;
        for (var i = 1; i < text.Length - 1; i++)
        {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = !quoted;
            else if (text[i] == ',' && !quoted)
                fields++;
        }
        return fields;
    }
}
