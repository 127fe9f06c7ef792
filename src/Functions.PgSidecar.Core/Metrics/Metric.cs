using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Functions.PgSidecar.Core.Metrics;

/// <summary>
/// One instrument, aggregated for Prometheus: a series for each combination of labels. Labels are the instrument's tags, at most two.
/// </summary>
internal abstract class Metric(Instrument instrument, string type)
{
    /// <summary>The name in the report.</summary>
    public string Name => instrument.Name;

    /// <summary>The aggregation for an instrument, by its kind.</summary>
    public static Metric For(Instrument instrument) =>
        instrument switch
        {
            Counter<long> => new SumMetric(instrument),
            ObservableCounter<long> or ObservableCounter<double> => new LastMetric(instrument, "counter"),
            Histogram<double> histogram => new HistogramMetric(histogram),
            _ => new LastMetric(instrument, "gauge"),
        };

    /// <summary>Adds a measurement. Called on any thread.</summary>
    public abstract void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags);

    /// <summary>Appends all series, with the lines that describe them.</summary>
    public void Write(StringBuilder text)
    {
        text.Append("# HELP ")
            .Append(Name)
            .Append(' ')
            .Append(instrument.Description)
            .Append("\n# TYPE ")
            .Append(Name)
            .Append(' ')
            .Append(type)
            .Append('\n');
        WriteSeries(text);
    }

    /// <summary>Appends a line for each series.</summary>
    protected abstract void WriteSeries(StringBuilder text);

    /// <summary>Appends a line: name, labels, value.</summary>
    protected void WriteLine(StringBuilder text, string suffix, Labels labels, double value, string? bound = null)
    {
        text.Append(Name).Append(suffix);
        labels.Write(text, bound);
        text.Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
    }

    /// <summary>The labels of a series. Names of functions and statuses are plain identifiers, so they need no escaping.</summary>
    protected readonly record struct Labels(string? FirstName, string? First, string? SecondName, string? Second) : IComparable<Labels>
    {
        /// <summary>The labels of a measurement's tags.</summary>
        public static Labels Of(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            tags.Length switch
            {
                0 => default,
                1 => new Labels(tags[0].Key, (string?)tags[0].Value, null, null),
                2 => new Labels(tags[0].Key, (string?)tags[0].Value, tags[1].Key, (string?)tags[1].Value),
                _ => throw new NotSupportedException("A measurement has at most two tags."),
            };

        /// <inheritdoc/>
        public int CompareTo(Labels other) =>
            string.CompareOrdinal(First, other.First) is var order and not 0 ? order : string.CompareOrdinal(Second, other.Second);

        /// <summary>Appends the labels in braces, with a histogram's bound; nothing if there are none.</summary>
        public void Write(StringBuilder text, string? bound)
        {
            if (FirstName is null && bound is null)
                return;
            var separator = '{';
            Append(text, FirstName, First, ref separator);
            Append(text, SecondName, Second, ref separator);
            Append(text, bound is null ? null : "le", bound, ref separator);
            text.Append('}');
        }

        private static void Append(StringBuilder text, string? name, string? value, ref char separator)
        {
            if (name is null)
                return;
            text.Append(separator).Append(name).Append("=\"").Append(value).Append('"');
            separator = ',';
        }
    }

    /// <summary>A sum of measurements.</summary>
    private sealed class SumMetric(Instrument instrument) : Metric(instrument, "counter")
    {
        private readonly ConcurrentDictionary<Labels, StrongBox<long>> series = new();

        public override void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            Interlocked.Add(ref series.GetOrAdd(Labels.Of(tags), static _ => new StrongBox<long>()).Value, (long)value);

        protected override void WriteSeries(StringBuilder text)
        {
            foreach (var (labels, sum) in series.OrderBy(static entry => entry.Key))
                WriteLine(text, "", labels, Interlocked.Read(ref sum.Value));
        }
    }

    /// <summary>The last measurement.</summary>
    private sealed class LastMetric(Instrument instrument, string type) : Metric(instrument, type)
    {
        private readonly ConcurrentDictionary<Labels, double> series = new();

        public override void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) => series[Labels.Of(tags)] = value;

        protected override void WriteSeries(StringBuilder text)
        {
            foreach (var (labels, value) in series.OrderBy(static entry => entry.Key))
                WriteLine(text, "", labels, value);
        }
    }

    /// <summary>Measurements counted by size, in the buckets that the instrument advises.</summary>
    private sealed class HistogramMetric(Histogram<double> histogram) : Metric(histogram, "histogram")
    {
        private readonly double[] bounds = [.. histogram.Advice?.HistogramBucketBoundaries ?? []];
        private readonly ConcurrentDictionary<Labels, Buckets> series = new();

        public override void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var buckets = series.GetOrAdd(Labels.Of(tags), static (_, length) => new Buckets(new long[length]), bounds.Length + 1);
            var index = Array.BinarySearch(bounds, value);
            buckets.Record(index >= 0 ? index : ~index, value);
        }

        protected override void WriteSeries(StringBuilder text)
        {
            foreach (var (labels, buckets) in series.OrderBy(static entry => entry.Key))
            {
                long total = 0;
                for (var i = 0; i <= bounds.Length; i++)
                {
                    total += buckets.Count(i);
                    WriteLine(
                        text,
                        "_bucket",
                        labels,
                        total,
                        i < bounds.Length ? bounds[i].ToString("R", CultureInfo.InvariantCulture) : "+Inf"
                    );
                }
                WriteLine(text, "_sum", labels, buckets.Sum);
                WriteLine(text, "_count", labels, total);
            }
        }

        private sealed class Buckets(long[] counts)
        {
            private double sum;

            public double Sum => Volatile.Read(ref sum);

            public long Count(int index) => Interlocked.Read(ref counts[index]);

            public void Record(int index, double value)
            {
                Interlocked.Increment(ref counts[index]);
                double before,
                    after;
                do
                {
                    before = Volatile.Read(ref sum);
                    after = before + value;
                } while (Interlocked.CompareExchange(ref sum, after, before) != before);
            }
        }
    }
}
