using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// Cuts a script into its statements, at the semicolons that are not inside a text, parentheses or a function's BEGIN ATOMIC ... END.
/// </summary>
internal static class SqlScript
{
    /// <summary>A statement and how many characters (code points) precede it in the script.</summary>
    internal readonly record struct Part(string Text, int CharacterOffset);

    /// <summary>
    /// The most statements that a script or a batch may have: each of them takes memory of the sidecar and of the server.
    /// </summary>
    public const int MaxStatements = 10_000;

    /// <summary>
    /// The longest text of a statement or script, in UTF-16 units: 4 Mi. Longer texts contain data that belongs into parameters; parsing
    /// them would keep a processor busy for one caller.
    /// </summary>
    public const int MaxLength = 4 * 1024 * 1024;

    /// <exception cref="FunctionSqlException">A quote or comment never ends, or there is more than the limits allow.</exception>
    public static List<Part> Split(string sql)
    {
        CheckLength(sql);
        var parts = new List<Part>(1);
        var cut = new Cutter(sql, parts);
        var lexer = new SqlLexer(sql);
        var nesting = new Nesting();
        int start = -1,
            end = 0;
        while (lexer.Next(out var token))
        {
            if (token.Kind == SqlTokenKind.Unterminated)
            {
                throw new FunctionSqlException("42601", $"unterminated {Unterminated(sql, token.Start)}")
                {
                    Position = CharacterCount(sql.AsSpan(0, token.Start)) + 1,
                };
            }
            if (token.Kind == SqlTokenKind.Symbol && sql[token.Start] == ';' && nesting.IsOutermost)
            {
                if (start >= 0)
                    cut.Add(start, end);
                start = -1;
                nesting = new Nesting();
                continue;
            }
            if (start < 0)
                start = token.Start;
            end = token.End;
            nesting.Follow(sql.AsSpan(token.Start, token.Length), token.Kind);
        }
        if (start >= 0)
            cut.Add(start, end);
        return parts;
    }

    public static int CharacterCount(ReadOnlySpan<char> text)
    {
        var count = 0;
        foreach (var c in text)
        {
            if (!char.IsLowSurrogate(c))
                count++;
        }
        return count;
    }

    /// <exception cref="FunctionSqlException">There are more statements than one call may have.</exception>
    public static void CheckCount(int statements)
    {
        if (statements <= MaxStatements)
            return;
        throw new FunctionSqlException(
            SqlErrorCodes.StatementCount,
            $"A script or batch has at most {MaxStatements} statements.",
            "Send it in several parts, or write many rows with one statement: insert into ... select from unnest($1::type[], ...)."
        );
    }

    private static void CheckLength(string sql)
    {
        if (sql.Length <= MaxLength)
            return;
        throw new FunctionSqlException(
            SqlErrorCodes.TextTooLong,
            $"The SQL is {sql.Length} characters long; {MaxLength} are allowed.",
            "Pass data as parameters, and send a long script in several parts."
        );
    }

    /// <summary>Collects the parts. Counts from part to part, so that a script is read only once, however many statements it has.</summary>
    private struct Cutter(string sql, List<Part> parts)
    {
        private int counted,
            characters;

        public void Add(int start, int end)
        {
            CheckCount(parts.Count + 1);
            characters += CharacterCount(sql.AsSpan(counted..start));
            counted = start;
            parts.Add(new Part(sql[start..end], characters));
        }
    }

    private static string Unterminated(string sql, int start) =>
        sql[start] switch
        {
            '/' => "/* comment",
            '"' => "quoted identifier",
            '$' => "dollar-quoted string",
            _ => "quoted string",
        };

    /// <summary>How deep a token is in parentheses and, in CREATE FUNCTION or PROCEDURE, in a body of the standard's form.</summary>
    private struct Nesting
    {
        private int words;
        private bool isCreate,
            isRoutine,
            sawBegin;
        private int parentheses,
            blocks;

        public readonly bool IsOutermost => parentheses <= 0 && blocks == 0;

        public void Follow(ReadOnlySpan<char> text, SqlTokenKind kind)
        {
            if (kind == SqlTokenKind.Symbol)
            {
                if (text[0] == '(')
                    parentheses++;
                else if (text[0] == ')')
                    parentheses--;
            }
            if (kind != SqlTokenKind.Word)
            {
                sawBegin = false;
                return;
            }

            words++;
            if (words == 1)
                isCreate = Is(text, "create");
            else if (words <= 4 && isCreate)
                isRoutine |= Is(text, "function") || Is(text, "procedure"); // create or replace function
            if (!isRoutine)
                return;

            if (sawBegin && Is(text, "atomic") && blocks == 0)
                blocks = 1;
            else if (blocks > 0 && Is(text, "case"))
                blocks++;
            else if (blocks > 0 && Is(text, "end"))
                blocks--;
            sawBegin = Is(text, "begin");
        }

        private static bool Is(ReadOnlySpan<char> text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);
    }
}
