using System.Diagnostics;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// The operation <c>timer</c>, <c>{"ms": 100}</c>: behind setTimeout, setInterval and AbortSignal.timeout. A run's timers end in the order of their time,
/// those of one time in the order in which they were set (HTML standard, 8.6), also where the machine was late for all of them; and none before its time.
/// </summary>
internal sealed class GuestTimers
{
    /// <summary>The longest wait that can be asked for; longer ones than any run lasts behave the same.</summary>
    private const double LongestMilliseconds = 3_600_000;

    private readonly Lock gate = new();
    private readonly PriorityQueue<GuestOperation, (long Due, long Number)> waiting = new();
    private Timer? alarm;
    private long number;

    /// <summary>Ends the operation after its time.</summary>
    public void Start(GuestOperation operation)
    {
        if (!TryReadMilliseconds(operation.Arguments.Span, out var milliseconds))
        {
            operation.Fail("TypeError", "A timer needs {\"ms\": number}.", "PGFN4400");
            return;
        }
        var ticks = (long)(Math.Clamp(milliseconds, 0, LongestMilliseconds) * (Stopwatch.Frequency / 1000.0));
        lock (gate)
        {
            waiting.Enqueue(operation, (Stopwatch.GetTimestamp() + ticks, ++number));
            EndDue();
        }
    }

    /// <summary>The operation was given up.</summary>
    public void Remove(GuestOperation operation)
    {
        lock (gate)
            waiting.Remove(operation, out _, out _);
    }

    /// <summary>The run is over.</summary>
    public void Clear()
    {
        lock (gate)
        {
            waiting.Clear();
            alarm?.Dispose();
            alarm = null;
        }
    }

    private void OnAlarm()
    {
        lock (gate)
            EndDue();
    }

    /// <summary>Ends what is due and sets the alarm for what is next. Under the lock, which keeps the order.</summary>
    private void EndDue()
    {
        while (waiting.TryPeek(out var operation, out var next))
        {
            var left = next.Due - Stopwatch.GetTimestamp();
            if (left > 0)
            {
                alarm ??= new Timer(static timers => ((GuestTimers)timers!).OnAlarm(), this, Timeout.Infinite, Timeout.Infinite);
                // Upwards, for an alarm that comes too early would have to be set again.
                alarm.Change((long)Math.Ceiling(left * 1000.0 / Stopwatch.Frequency), Timeout.Infinite);
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
