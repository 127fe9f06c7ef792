using System.Globalization;
using System.Text;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>Translates D1's placeholders <c>?</c> and <c>?NNN</c> to PostgreSQL's <c>$n</c>.</summary>
internal static class Placeholders
{
    /// <summary>
    /// A statement that has a <c>$n</c> is left as it is: then every <c>?</c> is an operator. Else <c>?</c> is the number after the
    /// greatest one so far, as in SQLite; <c>?|</c> (not <c>?||</c>), <c>?&amp;</c> and <c>@?</c> remain operators.
    /// </summary>
    public static (string Text, PlaceholderMap Map, int Count) Translate(string sql, bool translate)
    {
        var count = 0;
        var marks = new List<SqlToken>();
        var previous = default(SqlToken);
        var lexer = new SqlLexer(sql);
        while (lexer.Next(out var token))
        {
            if (token.Kind == SqlTokenKind.Parameter)
            {
                count = Math.Max(count, Number(sql.AsSpan(token.Start + 1, token.Length - 1)));
            }
            else if (token.Kind == SqlTokenKind.Number && marks.Count > 0 && marks[^1].End == token.Start && marks[^1].Length == 1)
            {
                marks[^1] = new SqlToken(SqlTokenKind.Symbol, marks[^1].Start, 1 + token.Length);
            }
            else if (token.Kind == SqlTokenKind.Symbol && sql[token.Start] == '?' && IsPlaceholder(sql, token, previous))
            {
                marks.Add(token);
            }
            previous = token;
        }
        return count > 0 || !translate || marks.Count == 0 ? (sql, PlaceholderMap.None, count) : Replace(sql, marks);
    }

    private static bool IsPlaceholder(string sql, SqlToken token, SqlToken previous)
    {
        if (previous.Kind == SqlTokenKind.Symbol && previous.End == token.Start && previous.Length == 1 && sql[previous.Start] == '@')
            return false;
        var next = token.End < sql.Length ? sql[token.End] : '\0';
        var afterNext = token.End + 1 < sql.Length ? sql[token.End + 1] : '\0';
        return next != '&' && (next != '|' || afterNext == '|');
    }

    private static (string Text, PlaceholderMap Map, int Count) Replace(string sql, List<SqlToken> marks)
    {
        var text = new StringBuilder(sql.Length + marks.Count * 2);
        var edits = new List<PlaceholderEdit>(marks.Count);
        int copied = 0,
            count = 0;
        foreach (var mark in marks)
        {
            var number = mark.Length == 1 ? count + 1 : Number(sql.AsSpan(mark.Start + 1, mark.Length - 1));
            count = Math.Max(count, number);
            text.Append(sql, copied, mark.Start - copied);
            var written = text.Length;
            text.Append(CultureInfo.InvariantCulture, $"${number}");
            edits.Add(new PlaceholderEdit(written, text.Length - written, mark.Start, mark.Length));
            copied = mark.End;
        }
        text.Append(sql, copied, sql.Length - copied);
        return (text.ToString(), new PlaceholderMap(sql, edits, 0), count);
    }

    // An invalid number becomes one that never matches the number of parameters.
    private static int Number(ReadOnlySpan<char> digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 1 and <= 65535
            ? number
            : int.MaxValue - 1;
}

/// <summary>One replaced placeholder: where it is in the text that was sent, and where in the original; in UTF-16 units.</summary>
internal readonly record struct PlaceholderEdit(int Sent, int SentLength, int Original, int OriginalLength);

/// <summary>Leads positions in the text that was sent back to the text the function wrote.</summary>
/// <param name="OriginalText">The text before the replacements; null when there were none.</param>
/// <param name="Edits">The replacements, in order.</param>
/// <param name="Offset">How many characters precede the statement in its script.</param>
internal sealed record PlaceholderMap(string? OriginalText, IReadOnlyList<PlaceholderEdit> Edits, int Offset)
{
    public static PlaceholderMap None { get; } = new(null, [], 0);

    /// <summary>The position, counted in characters from 1 as PostgreSQL counts, in the original text.</summary>
    public int Original(string sent, int position)
    {
        if (OriginalText is null)
            return position + Offset;

        var index = Index(sent, position);
        var shift = 0;
        foreach (var edit in Edits)
        {
            if (edit.Sent > index)
                break;
            shift =
                index < edit.Sent + edit.SentLength
                    ? edit.Original - index
                    : edit.Original + edit.OriginalLength - edit.Sent - edit.SentLength;
        }
        return SqlScript.CharacterCount(OriginalText.AsSpan(0, Math.Clamp(index + shift, 0, OriginalText.Length))) + 1 + Offset;
    }

    private static int Index(string text, int position)
    {
        var index = 0;
        for (var left = position - 1; left > 0 && index < text.Length; left--)
            index += char.IsHighSurrogate(text[index]) ? 2 : 1;
        return index;
    }
}
