using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>Limits and forms of the lines that functions log.</summary>
internal static class LogLine
{
    /// <summary>Lines kept of one invocation; then one line says that more were dropped.</summary>
    public const int MaxLines = 1_000;

    /// <summary>Characters kept of one line; then a marker says so.</summary>
    public const int MaxLength = 8 * 1024;

    /// <summary>The line that ends the log of an invocation that wrote too much.</summary>
    public static readonly string TooMany = $"... more than {MaxLines} lines: the rest of this invocation's log was dropped";

    /// <summary>The name of a level in the table.</summary>
    public static string Name(GuestLogLevel level) => level switch
    {
        GuestLogLevel.Debug => "debug",
        GuestLogLevel.Info => "info",
        GuestLogLevel.Warn => "warn",
        _ => "error",
    };

    /// <summary>A line, cut to length without halving a surrogate pair.</summary>
    public static string Shorten(string text)
    {
        if (text.Length <= MaxLength)
            return text;
        var end = char.IsHighSurrogate(text[MaxLength - 1]) ? MaxLength - 1 : MaxLength;
        return string.Concat(text.AsSpan(0, end), $"... (cut after {end} characters)");
    }
}
