using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// What PostgreSQL's text can't hold is replaced, so that one odd character of a function never costs a whole batch of rows.
/// </summary>
internal static class PostgresText
{
    /// <summary>The text with NUL and lone surrogates replaced by U+FFFD; the same instance when there are none.</summary>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Clean(string? text)
    {
        if (text is null || (!text.Contains('\0') && IsWellFormed(text)))
            return text;
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            clean.Append(rune.Value == 0 ? Rune.ReplacementChar : rune);
        return clean.ToString();
    }

    private static bool IsWellFormed(ReadOnlySpan<char> text)
    {
        var surrogate = text.IndexOfAnyInRange('\uD800', '\uDFFF');
        if (surrogate < 0)
            return true;
        for (var rest = text[surrogate..]; !rest.IsEmpty; )
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var consumed) != System.Buffers.OperationStatus.Done)
                return false;
            rest = rest[consumed..];
        }
        return true;
    }
}
