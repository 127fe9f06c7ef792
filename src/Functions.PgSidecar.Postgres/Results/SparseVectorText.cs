using System.Buffers.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>The text form of pgvector's sparsevec, <c>{1:0.5,3:2}/4</c>: indices from 1 in ascending order, and the dimensions.</summary>
internal static class SparseVectorText
{
    /// <summary>As many as a vector may have. A sparsevec may have 1,000,000,000, which nobody wants as an array.</summary>
    private const int MaxDimensions = 16_000;

    /// <summary>Writes it as an array of all its elements, <c>[0.5,0,2,0]</c>.</summary>
    public static void Write(Utf8JsonWriter json, ReadOnlySpan<byte> text)
    {
        var end = text.IndexOf("}/"u8);
        if (end < 0 || !Utf8Parser.TryParse(text[(end + 2)..], out int dimensions, out _) || dimensions > MaxDimensions)
        {
            ValueWriter.WriteText(json, text);
            return;
        }
        json.WriteStartArray();
        var next = 1;
        foreach (var range in text[1..end].Split((byte)','))
        {
            var element = text[1..end][range];
            var colon = element.IndexOf((byte)':');
            if (colon < 0 || !Utf8Parser.TryParse(element[..colon], out int index, out _))
                continue; // there are none
            for (; next < index; next++)
                json.WriteNumberValue(0);
            json.WriteRawValue(element[(colon + 1)..], skipInputValidation: true);
            next = index + 1;
        }
        for (; next <= dimensions; next++)
            json.WriteNumberValue(0);
        json.WriteEndArray();
    }
}
