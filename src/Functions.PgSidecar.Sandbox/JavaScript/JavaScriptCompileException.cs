namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>A function's source can't become a program: a syntax error, a top level that throws or never ends, no handler.</summary>
public sealed class JavaScriptCompileException : Exception
{
    public JavaScriptCompileException(string message, string file, int? line = null, int? column = null, string? stack = null)
        : base(message)
    {
        File = file;
        Line = line;
        Column = column;
        GuestStack = stack;
    }

    /// <summary>The source file as it was named at deploy.</summary>
    public string File { get; }

    /// <summary>Line, from 1; <see langword="null"/> if unknown.</summary>
    public int? Line { get; }

    /// <summary>Column, from 1; <see langword="null"/> if unknown.</summary>
    public int? Column { get; }

    /// <summary>The guest's stack; <see langword="null"/> if it has none.</summary>
    public string? GuestStack { get; }
}
