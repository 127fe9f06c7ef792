using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Postgres.Logs;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>
/// Takes what invocations have to say, at once and without waiting; <see cref="InvocationLogWorker"/> writes it in batches.
/// Its memory is bounded: while the database is away for long, what does not fit is dropped and counted, never silently.
/// </summary>
internal sealed class InvocationLog(TimeProvider time) : IDisposable
{
    /// <summary>Characters of log lines held at most.</summary>
    private const long MaxCharacters = 32L << 20;

    /// <summary>Invocation records held at most.</summary>
    private const int MaxRecords = 100_000;

    private readonly Lock gate = new();
    private readonly SemaphoreSlim signal = new(0, 1);
    private List<LogRecord> lines = [];
    private List<InvocationRecord> records = [];
    private long characters;
    private long droppedLines;
    private long cutLines;
    private long cutBytes;
    private long droppedRecords;

    /// <summary>Lines dropped since the start.</summary>
    public long DroppedLines => Interlocked.Read(ref droppedLines);

    /// <summary>Lines dropped by the limits of functions and invocations since the start.</summary>
    public long CutLines => Interlocked.Read(ref cutLines);

    /// <summary>The bytes of those lines.</summary>
    public long CutBytes => Interlocked.Read(ref cutBytes);

    /// <summary>Records dropped since the start.</summary>
    public long DroppedRecords => Interlocked.Read(ref droppedRecords);

    /// <summary>A message as it is stored: without the function's secrets, and cut to length.</summary>
    public static string Prepare(Invocation invocation, string message) => LogLine.Shorten(invocation.Function.Redactor.Redact(message));

    /// <summary>A line that a limit drops.</summary>
    public void Cut(int bytes)
    {
        Interlocked.Increment(ref cutLines);
        Interlocked.Add(ref cutBytes, bytes);
    }

    /// <summary>A line of a function, as <see cref="Prepare"/> gives it.</summary>
    public void Line(Invocation invocation, int sequence, GuestLogLevel level, string text)
    {
        var line = new LogRecord(
            invocation.Id, invocation.Function.Name, sequence, LogLine.Name(level), invocation.Function.LogSource, text, time.GetUtcNow());
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
        Signal();
    }

    /// <summary>An invocation that has ended.</summary>
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
        Signal();
    }

    /// <summary>Completes when there is something to write.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => signal.WaitAsync(cancellationToken);

    /// <summary>Takes everything out.</summary>
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

    private void Signal()
    {
        if (signal.CurrentCount > 0)
            return;
        try
        {
            signal.Release();
        }
        catch (SemaphoreFullException)
        {
            // Somebody else has signalled in the same instant.
        }
    }
}
