using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>One line that a function logged.</summary>
internal readonly record struct LogLine(
    Guid InvocationId, string Function, int Sequence, GuestLogLevel Level, string Source, string Message, DateTime At)
{
    /// <summary>Lines kept of one invocation; then one line says that more were dropped.</summary>
    public const int MaxLines = 1_000;

    /// <summary>Characters kept of one line; then a marker says how many were cut.</summary>
    public const int MaxLength = 8 * 1024;

    /// <summary>The line that ends the log of an invocation that wrote too much.</summary>
    public static readonly string TooMany = $"... more than {MaxLines} lines: the rest of this invocation's log was dropped";

    /// <summary>Makes a line of what the guest wrote: secrets redacted, cut to length.</summary>
    public static LogLine Create(Invocation invocation, int sequence, GuestLogLevel level, string message)
    {
        var text = invocation.Function.Redactor.Redact(message);
        if (text.Length > MaxLength)
            text = string.Concat(text.AsSpan(0, CutAt(text)), $"... ({text.Length - MaxLength} more characters)");
        return new LogLine(
            invocation.Id, invocation.Function.Name, sequence, level, invocation.Function.LogSource, text, DateTime.UtcNow);
    }

    /// <summary>Where to cut without halving a surrogate pair.</summary>
    private static int CutAt(string text) => char.IsHighSurrogate(text[MaxLength - 1]) ? MaxLength - 1 : MaxLength;
}
