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

    /// <summary>All spellings, without repetition; the value itself first.</summary>
    public static IEnumerable<string> Of(string value) => All(value).Distinct(StringComparer.Ordinal);

    private static IEnumerable<string> All(string value)
    {
        yield return value;
        yield return InJson(value);
        yield return InUrl(value, UnreservedInComponent, space: "%20");
        yield return InUrl(value, UnreservedInUri, space: "%20");
        yield return InUrl(value, UnreservedInForm, space: "+");

        var bytes = Encoding.UTF8.GetBytes(value);
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

    private static string InUrl(string value, string unreserved, string space)
    {
        var text = new StringBuilder(value.Length);
        foreach (var b in Encoding.UTF8.GetBytes(value))
        {
            var c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || unreserved.Contains(c, StringComparison.Ordinal))
                text.Append(c);
            else if (c == ' ')
                text.Append(space);
            else
                text.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
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
