using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace Functions.PgSidecar.Postgres.Results;

/// <summary>Writes a value, which the server sent as UTF-8 text, as JSON.</summary>
internal static class ValueWriter
{
    private const long LargestSafeInteger = (1L << 53) - 1;

    public static void Write(Utf8JsonWriter json, PostgresType type, ReadOnlySpan<byte> text)
    {
        switch (type.Form)
        {
            case ValueForm.Boolean:
                json.WriteBooleanValue(text is [(byte)'t', ..]);
                break;
            case ValueForm.Integer:
                json.WriteRawValue(text, skipInputValidation: true);
                break;
            case ValueForm.BigInteger:
                if (Utf8Parser.TryParse(text, out long number, out _) && number is >= -LargestSafeInteger and <= LargestSafeInteger)
                    json.WriteNumberValue(number);
                else
                    WriteText(json, text);
                break;
            case ValueForm.Float:
                if (text is [.., >= (byte)'0' and <= (byte)'9'])
                    json.WriteRawValue(text, skipInputValidation: true);
                else
                    WriteText(json, text); // NaN, Infinity, -Infinity
                break;
            case ValueForm.Json:
                json.WriteRawValue(text, skipInputValidation: true); // the server validated it
                break;
            case ValueForm.Timestamp:
                WriteTimestamp(json, text, zone: false);
                break;
            case ValueForm.TimestampTz:
                WriteTimestamp(json, text, zone: true);
                break;
            case ValueForm.Bytes:
                WriteBytes(json, text);
                break;
            case ValueForm.Array:
                ArrayWriter.Write(json, type, text);
                break;
            case ValueForm.Composite:
                CompositeWriter.Write(json, type, text);
                break;
            case ValueForm.Vector:
                json.WriteRawValue(text, skipInputValidation: true); // "[1,2.5,1e-07]"
                break;
            case ValueForm.SparseVector:
                SparseVectorText.Write(json, text);
                break;
            default:
                WriteText(json, text);
                break;
        }
    }

    /// <summary>Writes a long text in pieces: the writer reserves six times the length of each.</summary>
    public static void WriteText(Utf8JsonWriter json, ReadOnlySpan<byte> text)
    {
        const int piece = 4096;
        if (text.Length <= piece)
        {
            json.WriteStringValue(text);
            return;
        }
        for (; text.Length > piece; text = text[piece..])
            json.WriteStringValueSegment(text[..piece], isFinalSegment: false);
        json.WriteStringValueSegment(text, isFinalSegment: true);
    }

    /// <summary>
    /// "2026-02-06 09:00:00.5+00" becomes "2026-02-06T09:00:00.5Z". Other forms (infinity, years BC, a session whose zone is not UTC)
    /// are unchanged.
    /// </summary>
    private static void WriteTimestamp(Utf8JsonWriter json, ReadOnlySpan<byte> text, bool zone)
    {
        const int longest = 48;
        var space = text.IndexOf((byte)' ');
        var isPlain = space > 0 && text.Length < longest && text[^1] != 'C' && (!zone || text.EndsWith("+00"u8));
        if (!isPlain)
        {
            WriteText(json, text);
            return;
        }

        Span<byte> iso = stackalloc byte[longest];
        var length = zone ? text.Length - 2 : text.Length;
        text[..length].CopyTo(iso);
        iso[space] = (byte)'T';
        if (zone)
            iso[length - 1] = (byte)'Z';
        json.WriteStringValue(iso[..length]);
    }

    private static void WriteBytes(Utf8JsonWriter json, ReadOnlySpan<byte> text)
    {
        if (!text.StartsWith("\\x"u8))
        {
            WriteText(json, text); // bytea_output = escape, which only a function in the database can have set
            return;
        }
        var hex = text[2..];
        var bytes = ArrayPool<byte>.Shared.Rent(hex.Length / 2);
        Convert.FromHexString(hex, bytes, out _, out var length);
        json.WriteBase64StringValue(bytes.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(bytes);
    }
}
