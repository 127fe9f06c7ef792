using System.Globalization;
using System.Text;

namespace Functions.PgSidecar.Core.Secrets;

/// <summary>The forms in which a secret can occur in logs.</summary>
internal static class SecretForms
{
    /// <summary>Shorter encoded forms would match by chance.</summary>
    private const int MinimumEncodedLength = 6;

    /// <summary>
    /// The least length of a line of a multi-line secret (a PEM file) that is redacted by itself, because logs are written line by line.
    /// </summary>
    private const int MinimumLineLength = 16;

    /// <summary>
    /// What encodeURIComponent leaves unescaped besides letters and digits; RFC 3986 leaves less, and form encoding still less.
    /// </summary>
    private const string UnreservedInComponent = "-_.!~*'()";
    private const string UnreservedInUri = "-_.~";
    private const string UnreservedInForm = "-_.*";

    /// <summary>What JavaScript's legacy <c>escape</c> leaves unescaped.</summary>
    private const string UnreservedInEscape = "@*_+-./";

    /// <summary>Longer values are not searched for in rare forms, because each costs memory several times its length.</summary>
    private const int MaximumRareLength = 1024;

    /// <summary>All forms, without duplicates; the value itself first.</summary>
    public static IEnumerable<string> Of(string value) => All(value).Distinct(StringComparer.Ordinal);

    private static IEnumerable<string> All(string value) =>
        [value, .. InJsonForms(value), .. Encodings(value).SelectMany(bytes => InBytes(bytes)), .. Lines(value)];

    /// <summary>UTF-8, and Latin-1 if it differs: <c>btoa</c> and HTTP headers treat a text as Latin-1.</summary>
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
            // The first and last line of a PEM file are not secret.
            if (trimmed.Length >= MinimumLineLength && !trimmed.StartsWith("-----", StringComparison.Ordinal))
                yield return trimmed;
        }
    }

    /// <summary>
    /// JSON writers escape differently: as little as possible, everything that is not ASCII, also what matters in HTML, or everything.
    /// </summary>
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

    /// <summary>As JSON.stringify writes it, without the surrounding quotes.</summary>
    private static string InJson(string value)
    {
        var text = new StringBuilder(value.Length);
        foreach (var c in value)
        {
            text.Append(
                c switch
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
                }
            );
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

    /// <summary>The base64 characters that depend only on the bytes, for any content in which they are at this offset modulo 3.</summary>
    private static string InBase64(byte[] bytes, int offset)
    {
        var shifted = new byte[offset + bytes.Length];
        bytes.CopyTo(shifted, offset);
        var first = ((8 * offset) + 5) / 6;
        var last = 8 * shifted.Length / 6;
        return last <= first ? "" : Convert.ToBase64String(shifted)[first..last];
    }
}
