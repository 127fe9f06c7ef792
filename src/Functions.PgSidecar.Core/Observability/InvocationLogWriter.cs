using System.Globalization;
using System.Text;
using Functions.PgSidecar.Core.Configuration;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>
/// The log of one invocation, within its limits: lines and bytes of the invocation, bytes a minute of its function. Where a limit drops lines, one line
/// says which it was; the dropped lines and bytes are counted. Used on one thread at a time.
/// </summary>
internal sealed class InvocationLogWriter(Invocation invocation, InvocationLog log, LimitsOptions limits)
{
    private int lines;
    private long bytes;
    private bool isFull;

    /// <summary>Writes a line of the function.</summary>
    public void Write(GuestLogLevel level, string message)
    {
        if (isFull)
        {
            log.Cut(message.Length);
            return;
        }
        var text = InvocationLog.Prepare(invocation, message);
        var size = Encoding.UTF8.GetByteCount(text);
        if (lines >= LogLine.MaxLines)
            Fill(LogLine.TooMany, size);
        else if (bytes + size > limits.LogBytesPerInvocation)
            Fill(TooLong(limits.LogBytesPerInvocation), size);
        else
            Add(level, text, size);
    }

    /// <summary>Writes the error that ended the invocation: also where its log is full, since it is what its reader looks for.</summary>
    public void WriteLast(string message)
    {
        var text = InvocationLog.Prepare(invocation, message);
        Add(GuestLogLevel.Error, text, Encoding.UTF8.GetByteCount(text));
    }

    /// <summary>The line that ends the log of an invocation that wrote too many bytes.</summary>
    public static string TooLong(long limit) => string.Create(
        CultureInfo.InvariantCulture, $"... more than {limit:N0} bytes (PGFN_LOG_INVOCATION_SIZE): the rest of this invocation's log was dropped");

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
