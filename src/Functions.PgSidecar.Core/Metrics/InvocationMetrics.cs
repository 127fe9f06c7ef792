using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Metrics;

/// <summary>Counts invocations by function: outcomes, durations, memory.</summary>
internal sealed class InvocationMetrics(Meter meter)
{
    private static readonly InstrumentAdvice<double> Durations = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    };

    private readonly Counter<long> invocations = meter.CreateCounter<long>("functions_invocations_total", null, "Invocations by outcome.");
    private readonly Counter<long> timeouts = meter.CreateCounter<long>(
        "functions_timeout_total",
        null,
        "Invocations that ran out of time."
    );
    private readonly Counter<long> errors = meter.CreateCounter<long>("functions_errors_total", null, "Invocations that did not succeed.");
    private readonly Gauge<long> memory = meter.CreateGauge<long>("functions_memory_bytes", "By", "Memory peak of the last invocation.");
    private readonly Histogram<double> durations = meter.CreateHistogram(
        "functions_duration_seconds",
        "s",
        "Time from admission to the end of an invocation.",
        advice: Durations
    );

    /// <summary>Counts an invocation that has ended.</summary>
    /// <param name="function">The function's name.</param>
    /// <param name="result">The outcome.</param>
    /// <param name="duration">From admission to the end.</param>
    /// <param name="memoryPeak">In bytes; 0 if it did not run.</param>
    public void Record(string function, InvocationResult result, TimeSpan duration, long memoryPeak)
    {
        var name = new KeyValuePair<string, object?>("function", function);
        invocations.Add(1, name, new("status", InvocationEntry.Name(result.Outcome)));
        if (result.Outcome != InvocationOutcome.Succeeded)
            errors.Add(1, name);
        if (result.Outcome == InvocationOutcome.TimedOut)
            timeouts.Add(1, name);
        if (memoryPeak > 0)
            memory.Record(memoryPeak, name);
        durations.Record(duration.TotalSeconds, name);
    }
}
