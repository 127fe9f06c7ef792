using System.Diagnostics;

namespace Functions.PgSidecar.Benchmarks.Report;

/// <summary>Times of one thing that was done many times, in microseconds.</summary>
internal sealed class Samples
{
    private readonly List<double> times = [];

    public int Count => times.Count;

    public double Median => Quantile(0.5);

    public double Percentile99 => Quantile(0.99);

    /// <summary>Measures once.</summary>
    public void Time(Action action)
    {
        var start = Stopwatch.GetTimestamp();
        action();
        Add(Stopwatch.GetElapsedTime(start));
    }

    /// <inheritdoc cref="Time"/>
    public async Task TimeAsync(Func<Task> action)
    {
        var start = Stopwatch.GetTimestamp();
        await action();
        Add(Stopwatch.GetElapsedTime(start));
    }

    public void Add(TimeSpan time) => times.Add(time.TotalMicroseconds);

    /// <summary>The middle of a few values.</summary>
    public static double MedianOf(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private double Quantile(double share) => times.Order().ElementAt((int)(times.Count * share));
}
