namespace Functions.PgSidecar.Postgres.Statements;

internal enum SqlTokenKind : byte
{
    /// <summary>A keyword or an unquoted name.</summary>
    Word,
    QuotedIdentifier,

    /// <summary>U&amp;"...": a name with Unicode escapes.</summary>
    EscapedIdentifier,

    /// <summary>Any string constant: '', E'', B'', X'', N'', U&amp;'', $tag$$tag$.</summary>
    Literal,
    Number,

    /// <summary>$1.</summary>
    Parameter,

    /// <summary>One character of an operator or of punctuation.</summary>
    Symbol,

    /// <summary>A quote, a dollar quote or a comment that never ends.</summary>
    Unterminated,
}

internal readonly record struct SqlToken(SqlTokenKind Kind, int Start, int Length)
{
    public int End => Start + Length;
}

/// <summary>
/// Cuts SQL into tokens exactly where PostgreSQL's scanner (src/backend/parser/scan.l, with standard_conforming_strings on) cuts it. All
/// code that distinguishes code from text uses this lexer: what it regards as text can't be a statement for the server.
/// </summary>
internal ref struct SqlLexer(ReadOnlySpan<char> sql)
{
    private readonly ReadOnlySpan<char> sql = sql;
    private int position;
    private long readTwice;

    /// <summary>Characters that have been read; those read again count twice.</summary>
    public readonly long CharactersRead => position + readTwice;

    /// <summary>The next token; comments and white space are skipped. False at the end.</summary>
    public bool Next(out SqlToken token)
    {
        token = default;
        if (!SkipBlanks(out var unterminated))
        {
            if (unterminated < 0)
                return false;
            token = new SqlToken(SqlTokenKind.Unterminated, unterminated, sql.Length - unterminated);
            position = sql.Length;
            return true;
        }

        var start = position;
        var kind = Scan(sql[position]);
        token = new SqlToken(kind, start, position - start);
        return true;
    }

    public static bool IsWordStart(char c) => char.IsAsciiLetter(c) || c == '_' || c >= '\u0080';

    public static bool IsWordPart(char c) => IsWordStart(c) || char.IsAsciiDigit(c) || c == '$';

    private SqlTokenKind Scan(char first)
    {
        switch (first)
        {
            case '\'':
                return Quoted('\'', SqlTokenKind.Literal);
            case '"':
                return Quoted('"', SqlTokenKind.QuotedIdentifier);
            case '$':
                return Dollar();
        }
        if (char.IsAsciiDigit(first) || (first == '.' && char.IsAsciiDigit(Peek(1))))
            return Number();
        if (!IsWordStart(first))
        {
            position++;
            return SqlTokenKind.Symbol;
        }

        if (first is 'e' or 'E' && Peek(1) == '\'')
        {
            position++;
            return EscapeString();
        }
        if (first is 'b' or 'B' or 'x' or 'X' or 'n' or 'N' && Peek(1) == '\'')
        {
            position++;
            return Quoted('\'', SqlTokenKind.Literal);
        }
        if (first is 'u' or 'U' && Peek(1) == '&' && Peek(2) is '\'' or '"')
        {
            position += 2;
            return sql[position] == '\'' ? Quoted('\'', SqlTokenKind.Literal) : Quoted('"', SqlTokenKind.EscapedIdentifier);
        }

        while (position < sql.Length && IsWordPart(sql[position]))
            position++;
        return SqlTokenKind.Word;
    }

    /// <summary>A quoted token in which only the doubled quote is special.</summary>
    private SqlTokenKind Quoted(char quote, SqlTokenKind kind)
    {
        position++;
        while (true)
        {
            var length = sql[position..].IndexOf(quote);
            if (length < 0)
            {
                position = sql.Length;
                return SqlTokenKind.Unterminated;
            }
            position += length + 1;
            if (Peek(0) != quote)
                return kind;
            position++;
        }
    }

    /// <summary>E'...': the backslash escapes, and the constant goes on after a line break, still with backslashes.</summary>
    private SqlTokenKind EscapeString()
    {
        position++;
        while (position < sql.Length)
        {
            var c = sql[position++];
            if (c == '\\')
                position++;
            else if (c == '\'')
            {
                if (Peek(0) == '\'')
                    position++;
                else if (!SkipToContinuation())
                    return SqlTokenKind.Literal;
            }
        }
        position = sql.Length;
        return SqlTokenKind.Unterminated;
    }

    /// <summary>Two string constants with only blanks and -- comments, and at least one line break, between them are one.</summary>
    private bool SkipToContinuation()
    {
        var at = position;
        var newline = false;
        while (at < sql.Length)
        {
            var c = sql[at];
            if (c is '\n' or '\r')
                newline = true;
            if (c == '-' && at + 1 < sql.Length && sql[at + 1] == '-')
            {
                var end = sql[at..].IndexOfAny('\n', '\r');
                if (end < 0)
                {
                    readTwice += sql.Length - position;
                    return false;
                }
                at += end;
                continue;
            }
            if (!IsBlank(c))
                break;
            at++;
        }
        if (!newline || at >= sql.Length || sql[at] != '\'')
        {
            readTwice += at - position;
            return false;
        }
        position = at + 1;
        return true;
    }

    private SqlTokenKind Dollar()
    {
        var start = position++;
        if (char.IsAsciiDigit(Peek(0)))
        {
            while (char.IsAsciiDigit(Peek(0)))
                position++;
            return SqlTokenKind.Parameter;
        }

        if (IsWordStart(Peek(0)))
        {
            while (Peek(0) != '$' && IsWordPart(Peek(0)))
                position++;
        }
        if (Peek(0) != '$')
        {
            readTwice += position - start - 1;
            position = start + 1;
            return SqlTokenKind.Symbol; // a single dollar sign: the server will refuse it
        }

        var tag = sql[start..++position];
        var length = sql[position..].IndexOf(tag, StringComparison.Ordinal);
        position = length < 0 ? sql.Length : position + length + tag.Length;
        return length < 0 ? SqlTokenKind.Unterminated : SqlTokenKind.Literal;
    }

    /// <summary>Digits with attached letters; since PostgreSQL 15 letters right after a number are an error, not a new word.</summary>
    private SqlTokenKind Number()
    {
        while (position < sql.Length && (char.IsAsciiLetterOrDigit(sql[position]) || sql[position] is '.' or '_'))
            position++;
        return SqlTokenKind.Number;
    }

    /// <summary>
    /// True when a token follows. False at the end; then <paramref name="unterminated"/> is where a comment began that never ends, or -1.
    /// </summary>
    private bool SkipBlanks(out int unterminated)
    {
        unterminated = -1;
        while (position < sql.Length)
        {
            var c = sql[position];
            if (IsBlank(c))
            {
                position++;
            }
            else if (c == '-' && Peek(1) == '-')
            {
                var end = sql[position..].IndexOfAny('\n', '\r');
                position = end < 0 ? sql.Length : position + end;
            }
            else if (c == '/' && Peek(1) == '*')
            {
                var start = position;
                if (SkipNestedComment())
                    continue;
                unterminated = start;
                return false;
            }
            else
            {
                return true;
            }
        }
        return false;
    }

    private bool SkipNestedComment()
    {
        var depth = 0;
        while (position < sql.Length)
        {
            if (Peek(0) == '/' && Peek(1) == '*')
            {
                depth++;
                position += 2;
            }
            else if (Peek(0) == '*' && Peek(1) == '/')
            {
                position += 2;
                if (--depth == 0)
                    return true;
            }
            else
            {
                position++;
            }
        }
        return false;
    }

    // The vertical tab is white space from PostgreSQL 16 on and an error before.
    private static bool IsBlank(char c) => c is ' ' or '\t' or '\n' or '\r' or '\f' or '\v';

    private readonly char Peek(int ahead) => position + ahead < sql.Length ? sql[position + ahead] : '\0';
}
