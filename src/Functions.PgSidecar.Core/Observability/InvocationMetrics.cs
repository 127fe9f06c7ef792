using System.Collections.Concurrent;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Observability;

/// <summary>Counts invocations by function: outcomes, durations, memory.</summary>
internal sealed class InvocationMetrics
{
    /// <summary>Upper bounds of the duration histogram, in seconds.</summary>
    public static readonly double[] Bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

    private readonly ConcurrentDictionary<string, FunctionMetrics> functions = new(StringComparer.Ordinal);

    /// <summary>What was counted, by function.</summary>
    public IEnumerable<KeyValuePair<string, FunctionMetrics>> Functions => functions.OrderBy(entry => entry.Key, StringComparer.Ordinal);

    /// <summary>Counts an invocation that has ended.</summary>
    public void Record(string function, InvocationResult result, TimeSpan duration, long memoryPeak) =>
        functions.GetOrAdd(function, static _ => new FunctionMetrics()).Record(result.Outcome, duration, memoryPeak);
}

/// <summary>The counts of one function.</summary>
internal sealed class FunctionMetrics
{
    private readonly long[] outcomes = new long[Enum.GetValues<InvocationOutcome>().Length];
    private readonly long[] buckets = new long[InvocationMetrics.Bounds.Length + 1];
    private long durationTicks;
    private long lastMemoryPeak;

    /// <summary>Invocations that ended so.</summary>
    public long Count(InvocationOutcome outcome) => Interlocked.Read(ref outcomes[(int)outcome]);

    /// <summary>Invocations whose duration falls into a bucket.</summary>
    public long Bucket(int index) => Interlocked.Read(ref buckets[index]);

    /// <summary>The sum of all durations.</summary>
    public TimeSpan Duration => TimeSpan.FromTicks(Interlocked.Read(ref durationTicks));

    /// <summary>The memory peak of the last invocation, in bytes.</summary>
    public long MemoryPeak => Interlocked.Read(ref lastMemoryPeak);

    /// <summary>Counts one.</summary>
    public void Record(InvocationOutcome outcome, TimeSpan duration, long memoryPeak)
    {
        Interlocked.Increment(ref outcomes[(int)outcome]);
        Interlocked.Add(ref durationTicks, duration.Ticks);
        if (memoryPeak > 0)
            Interlocked.Exchange(ref lastMemoryPeak, memoryPeak);
        var index = Array.BinarySearch(InvocationMetrics.Bounds, duration.TotalSeconds);
        Interlocked.Increment(ref buckets[index >= 0 ? index : ~index]);
    }
}
