using System.Diagnostics.Metrics;
using System.Text;

namespace Functions.PgSidecar.Core.Metrics;

/// <summary>All measurements of the sidecar's meter, in Prometheus' text format 0.0.4.</summary>
internal sealed class MetricsReport : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<Metric> metrics = [];
    private readonly MeterListener listener = new();

    /// <summary>Starts collecting the measurements of <paramref name="meter"/>.</summary>
    public MetricsReport(Meter meter, IEnumerable<IMetricsSource> sources)
    {
        listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter != meter)
                return;
            var metric = Metric.For(instrument);
            lock (gate)
                metrics.Add(metric);
            listener.EnableMeasurementEvents(instrument, metric);
        };
        listener.SetMeasurementEventCallback<long>(static (_, value, tags, metric) => ((Metric)metric!).Record(value, tags));
        listener.SetMeasurementEventCallback<double>(static (_, value, tags, metric) => ((Metric)metric!).Record(value, tags));
        listener.Start();
        foreach (var source in sources)
            source.Register(meter);
    }

    /// <summary>Writes the current report.</summary>
    public string Write()
    {
        var text = new StringBuilder(8192);
        lock (gate)
        {
            listener.RecordObservableInstruments();
            foreach (var metric in metrics.OrderBy(static metric => metric.Name, StringComparer.Ordinal))
                metric.Write(text);
        }
        return text.ToString();
    }

    /// <inheritdoc/>
    public void Dispose() => listener.Dispose();
}
