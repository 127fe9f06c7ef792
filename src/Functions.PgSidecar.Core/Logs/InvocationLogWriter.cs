using System.Globalization;
using System.Text;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>
/// The log of one invocation, within its limits: lines and bytes per invocation, bytes per minute and function. If a limit drops lines, one
/// line names the limit; the dropped lines and bytes are counted. Not thread-safe.
/// </summary>
internal sealed class InvocationLogWriter(Invocation invocation, InvocationLog log, LimitsOptions limits)
{
    private readonly LineRedactor redactor = new(invocation.Function.Redactor);
    private int lines;
    private long bytes;
    private bool isFull;

    /// <summary>Writes a log line of the function.</summary>
    public void Write(GuestLogLevel level, string message)
    {
        if (isFull)
        {
            log.Cut(message.Length);
            return;
        }
        var text = LogLine.Shorten(redactor.Redact(message));
        var size = Encoding.UTF8.GetByteCount(text);
        if (lines >= LogLine.MaxLines)
            Fill(LogLine.TooMany, size);
        else if (bytes + size > limits.LogBytesPerInvocation)
            Fill(TooLong(limits.LogBytesPerInvocation), size);
        else
            Add(level, text, size);
    }

    /// <summary>Writes the error that ended the invocation, even if its log is full, because readers look for it.</summary>
    public void WriteLast(string message)
    {
        var text = LogLine.Shorten(redactor.Redact(message));
        Add(GuestLogLevel.Error, text, Encoding.UTF8.GetByteCount(text));
    }

    /// <summary>The line that ends the log of an invocation that wrote too many bytes.</summary>
    public static string TooLong(long limit) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"... more than {limit:N0} bytes (PGFN_LOG_INVOCATION_SIZE): the rest of this invocation's log was dropped"
        );

    private void Add(GuestLogLevel level, string text, int size)
    {
        var perMinute = limits.LogBytesPerMinute;
        if (invocation.Function.Admission.Logs.TryTake(size, perMinute, out var mark))
        {
            bytes += size;
            log.Line(invocation, ++lines, level, text);
            return;
        }
        log.Cut(size);
        if (mark)
            log.Line(invocation, ++lines, GuestLogLevel.Warn, LogAllowance.Marker(perMinute));
    }

    private void Fill(string marker, int droppedBytes)
    {
        isFull = true;
        log.Cut(droppedBytes);
        Add(GuestLogLevel.Warn, marker, marker.Length);
    }
}
