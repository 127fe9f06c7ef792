using System.Globalization;
using System.Text;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>The spellings in which a secret turns up in logs.</summary>
internal static class SecretForms
{
    /// <summary>Encoded spellings that are shorter than this would match by chance.</summary>
    private const int MinimumEncodedLength = 6;

    /// <summary>A line of a secret of many lines (a PEM file) that counts by itself, because logs are written line by line.</summary>
    private const int MinimumLineLength = 16;

    /// <summary>What encodeURIComponent leaves as it is beyond letters and digits; RFC 3986 leaves less, and a form's encoding still less.</summary>
    private const string UnreservedInComponent = "-_.!~*'()";
    private const string UnreservedInUri = "-_.~";
    private const string UnreservedInForm = "-_.*";

    /// <summary>What JavaScript's old <c>escape</c> leaves.</summary>
    private const string UnreservedInEscape = "@*_+-./";

    /// <summary>Longer values are not looked for in the spellings that are rare: each costs memory several times its length.</summary>
    private const int MaximumRareLength = 1024;

    /// <summary>All spellings, without repetition; the value itself first.</summary>
    public static IEnumerable<string> Of(string value) => All(value).Distinct(StringComparer.Ordinal);

    private static IEnumerable<string> All(string value) =>
        [value, .. InJsonForms(value), .. Encodings(value).SelectMany(bytes => InBytes(bytes)), .. Lines(value)];

    /// <summary>UTF-8, and Latin-1 where it is another: <c>btoa</c> and the headers of HTTP take a text for Latin-1.</summary>
    private static IEnumerable<byte[]> Encodings(string value)
    {
        yield return Encoding.UTF8.GetBytes(value);
        if (!System.Text.Ascii.IsValid(value) && value.All(c => c <= 0xff))
            yield return Encoding.Latin1.GetBytes(value);
    }

    private static IEnumerable<string> InBytes(byte[] bytes)
    {
        foreach (var upper in new[] { true, false })
        {
            yield return InUrl(bytes, UnreservedInComponent, space: "%20", upper);
            yield return InUrl(bytes, UnreservedInUri, space: "%20", upper);
            yield return InUrl(bytes, UnreservedInForm, space: "+", upper);
            if (bytes.Length <= MaximumRareLength)
            {
                yield return InUrl(bytes, UnreservedInEscape, space: "%20", upper);
                yield return InUrl(bytes, "", space: "%20", upper, lettersToo: true);
            }
        }
        for (var offset = 0; offset < 3; offset++)
        {
            var core = InBase64(bytes, offset);
            if (core.Length < MinimumEncodedLength)
                continue;
            yield return core;
            yield return core.Replace('+', '-').Replace('/', '_');
        }

        yield return Convert.ToHexStringLower(bytes);
        yield return Convert.ToHexString(bytes);
    }

    private static IEnumerable<string> Lines(string value)
    {
        if (!value.Contains('\n', StringComparison.Ordinal))
            yield break;
        foreach (var line in value.Split('\n'))
        {
            var trimmed = line.Trim();
            // The first and last line of a PEM file are no secret.
            if (trimmed.Length >= MinimumLineLength && !trimmed.StartsWith("-----", StringComparison.Ordinal))
                yield return trimmed;
        }
    }

    /// <summary>As different writers of JSON escape: as little as they must, all that is not ASCII, what may matter in HTML too, everything.</summary>
    private static IEnumerable<string> InJsonForms(string value)
    {
        var least = InJson(value);
        yield return least;
        yield return least.Replace("/", "\\/", StringComparison.Ordinal);
        if (value.Length > MaximumRareLength)
            yield break;
        foreach (var format in new[] { "x4", "X4" })
        {
            yield return Escaped(least, format, static c => c > 0x7f);
            yield return Escaped(least.Replace("/", "\\/", StringComparison.Ordinal), format, static c => c > 0x7f);
            yield return Escaped(value, format, static c => !char.IsAsciiLetterOrDigit(c));
            yield return Escaped(value, format, static _ => true);
        }
        yield return System.Text.Encodings.Web.JavaScriptEncoder.Default.Encode(value);
    }

    private static string Escaped(string text, string format, Func<char, bool> isEscaped)
    {
        var result = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (isEscaped(c))
                result.Append("\\u").Append(((int)c).ToString(format, CultureInfo.InvariantCulture));
            else
                result.Append(c);
        }

        return result.ToString();
    }

    /// <summary>As JSON.stringify writes it, without the quotes around.</summary>
    private static string InJson(string value)
    {
        var text = new StringBuilder(value.Length);
        foreach (var c in value)
        {
            text.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\b' => "\\b",
                '\f' => "\\f",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                < ' ' => string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => c.ToString(),
            });
        }

        return text.ToString();
    }

    private static string InUrl(byte[] bytes, string unreserved, string space, bool upper, bool lettersToo = false)
    {
        var text = new StringBuilder(bytes.Length);
        foreach (var b in bytes)
        {
            var c = (char)b;
            if (!lettersToo && (char.IsAsciiLetterOrDigit(c) || unreserved.Contains(c, StringComparison.Ordinal)))
                text.Append(c);
            else if (c == ' ')
                text.Append(space);
            else
                text.Append('%').Append(b.ToString(upper ? "X2" : "x2", CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }

    /// <summary>The characters of the base64 of anything that holds the bytes at this offset modulo 3 that depend on the bytes alone.</summary>
    private static string InBase64(byte[] bytes, int offset)
    {
        var shifted = new byte[offset + bytes.Length];
        bytes.CopyTo(shifted, offset);
        var first = ((8 * offset) + 5) / 6;
        var last = 8 * shifted.Length / 6;
        return last <= first ? "" : Convert.ToBase64String(shifted)[first..last];
    }
}
