using System.Text;

namespace Functions.PgSidecar.Postgres.Replication;

/// <summary>
/// Reads the text of a row, as PostgreSQL's record_out writes it ("Composite Type Input and Output Syntax" of its documentation).
/// </summary>
internal static class CompositeText
{
    /// <summary>The values' texts; null for a null.</summary>
    /// <exception cref="InvalidDataException">It is not the text of a row.</exception>
    public static IReadOnlyList<string?> Parse(string text)
    {
        if (text.Length < 2 || text[0] != '(' || text[^1] != ')')
            throw new InvalidDataException("The text of a row has no parentheses.");
        var values = new List<string?>();
        if (text.Length == 2)
            return text == "()" ? [null] : values;
        var value = new StringBuilder();
        var (isNull, isQuoted) = (true, false);
        for (var i = 1; i < text.Length - 1; i++)
        {
            var one = text[i];
            if (!isQuoted && one == ',')
            {
                values.Add(isNull ? null : value.ToString());
                value.Clear();
                isNull = true;
                continue;
            }
            isNull = false;
            if (one == '"')
            {
                if (!isQuoted)
                    isQuoted = true;
                else if (text[i + 1] == '"')
                    value.Append(text[++i]);
                else
                    isQuoted = false;
            }
            else
            {
                value.Append(one == '\\' ? text[++i] : one);
            }
        }
        values.Add(isNull ? null : value.ToString());
        return values;
    }
}
