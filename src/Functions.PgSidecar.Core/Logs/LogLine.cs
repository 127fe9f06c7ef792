using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>Limits and formats of the lines that functions log.</summary>
internal static class LogLine
{
    /// <summary>The most lines kept of one invocation; a final line reports that more were dropped.</summary>
    public const int MaxLines = 1_000;

    /// <summary>The most characters kept of one line; a marker reports the cut.</summary>
    public const int MaxLength = 8 * 1024;

    /// <summary>The line that ends the log of an invocation that wrote too many lines.</summary>
    public static readonly string TooMany = $"... more than {MaxLines} lines: the rest of this invocation's log was dropped";

    /// <summary>The name of a level in the log table.</summary>
    public static string Name(GuestLogLevel level) =>
        level switch
        {
            GuestLogLevel.Debug => "debug",
            GuestLogLevel.Info => "info",
            GuestLogLevel.Warn => "warn",
            _ => "error",
        };

    /// <summary>Shortens a line to the limit, without splitting a surrogate pair.</summary>
    public static string Shorten(string text)
    {
        if (text.Length <= MaxLength)
            return text;
        var end = char.IsHighSurrogate(text[MaxLength - 1]) ? MaxLength - 1 : MaxLength;
        return string.Concat(text.AsSpan(0, end), $"... (cut after {end} characters)");
    }
}
