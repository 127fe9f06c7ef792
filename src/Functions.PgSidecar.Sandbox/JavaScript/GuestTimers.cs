using System.Diagnostics;
using System.Text.Json;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The operation <c>timer</c>, <c>{"ms": 100}</c>: it implements setTimeout, setInterval and AbortSignal.timeout. A run's timers end in the
/// order of their times, those with the same time in the order in which they were set (HTML standard, 8.6), even if the machine is late.
/// None ends early.
/// </summary>
internal sealed class GuestTimers
{
    /// <summary>The longest wait: one hour. No run lasts longer.</summary>
    private const double LongestMilliseconds = 3_600_000;

    private readonly Lock gate = new();
    private readonly PriorityQueue<GuestOperation, (long Due, long Number)> waiting = new();
    private Timer? timer;
    private long number;

    /// <summary>Ends the operation after its time.</summary>
    public void Start(GuestOperation operation)
    {
        if (!TryReadMilliseconds(operation.Arguments.Span, out var milliseconds))
        {
            operation.Fail("TypeError", "A timer needs {\"ms\": number}.", "PGFN5400");
            return;
        }
        var ticks = (long)(Math.Clamp(milliseconds, 0, LongestMilliseconds) * (Stopwatch.Frequency / 1000.0));
        lock (gate)
        {
            waiting.Enqueue(operation, (Stopwatch.GetTimestamp() + ticks, ++number));
            EndDue();
        }
    }

    /// <summary>Drops an abandoned operation.</summary>
    public void Remove(GuestOperation operation)
    {
        lock (gate)
            waiting.Remove(operation, out _, out _);
    }

    /// <summary>Drops all operations: the run is over.</summary>
    public void Clear()
    {
        lock (gate)
        {
            waiting.Clear();
            timer?.Dispose();
            timer = null;
        }
    }

    private void OnTimer()
    {
        lock (gate)
            EndDue();
    }

    /// <summary>Ends the operations that are due and sets the timer for the next one. Needs the lock, which keeps the order.</summary>
    private void EndDue()
    {
        while (waiting.TryPeek(out var operation, out var next))
        {
            var left = next.Due - Stopwatch.GetTimestamp();
            if (left > 0)
            {
                timer ??= new Timer(static timers => ((GuestTimers)timers!).OnTimer(), this, Timeout.Infinite, Timeout.Infinite);
                // Rounded up: a timer that fires early would have to be set again.
                timer.Change((long)Math.Ceiling(left * 1000.0 / Stopwatch.Frequency), Timeout.Infinite);
                return;
            }
            waiting.Dequeue();
            operation.Succeed(default);
        }
    }

    private static bool TryReadMilliseconds(ReadOnlySpan<byte> json, out double milliseconds)
    {
        milliseconds = 0;
        try
        {
            var reader = new Utf8JsonReader(json);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("ms"u8))
                    return reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out milliseconds);
            }
        }
        catch (JsonException)
        {
            return false;
        }
        return false;
    }
}
