using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Notifications;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>
/// Takes the log records of invocations without waiting; <see cref="InvocationLogWorker"/> writes them in batches. Its memory is bounded:
/// if the database is unavailable for long, what does not fit is dropped and counted, never silently.
/// </summary>
internal sealed class InvocationLog(TimeProvider time) : IDisposable
{
    /// <summary>The most characters of log lines held.</summary>
    private const long MaxCharacters = 32L << 20;

    /// <summary>The most invocation records held.</summary>
    private const int MaxRecords = 100_000;

    private readonly Lock gate = new();
    private readonly WakeSignal signal = new();
    private List<LogRecord> lines = [];
    private List<InvocationRecord> records = [];
    private long characters;
    private long droppedLines;
    private long cutLines;
    private long cutBytes;
    private long droppedRecords;

    /// <summary>Lines dropped since the start because the log was full.</summary>
    public long DroppedLines => Interlocked.Read(ref droppedLines);

    /// <summary>Lines dropped since the start by the limits of functions and invocations.</summary>
    public long CutLines => Interlocked.Read(ref cutLines);

    /// <summary>The bytes of those lines.</summary>
    public long CutBytes => Interlocked.Read(ref cutBytes);

    /// <summary>Records dropped since the start because the log was full.</summary>
    public long DroppedRecords => Interlocked.Read(ref droppedRecords);

    /// <summary>Counts a line that a limit drops.</summary>
    public void Cut(int bytes)
    {
        Interlocked.Increment(ref cutLines);
        Interlocked.Add(ref cutBytes, bytes);
    }

    /// <summary>Adds a line of a function as it is stored: with secrets redacted, and shortened to the limit.</summary>
    public void Line(Invocation invocation, int sequence, GuestLogLevel level, string text)
    {
        var line = new LogRecord(
            invocation.Id,
            invocation.Function.Name,
            sequence,
            LogLine.Name(level),
            invocation.Function.LogSource,
            text,
            time.GetUtcNow()
        );
        lock (gate)
        {
            if (characters + text.Length > MaxCharacters)
            {
                droppedLines++;
                return;
            }
            characters += text.Length;
            lines.Add(line);
        }
        signal.Set();
    }

    /// <summary>Adds an invocation that has ended.</summary>
    public void Record(in InvocationRecord record)
    {
        lock (gate)
        {
            if (records.Count >= MaxRecords)
            {
                droppedRecords++;
                return;
            }
            records.Add(record);
        }
        signal.Set();
    }

    /// <summary>Completes when there is something to write.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => signal.WaitAsync(cancellationToken);

    /// <summary>Removes and returns everything.</summary>
    public (IReadOnlyList<InvocationRecord> Records, IReadOnlyList<LogRecord> Lines) Take()
    {
        lock (gate)
        {
            var taken = (records, lines);
            records = [];
            lines = [];
            characters = 0;
            return taken;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => signal.Dispose();
}
