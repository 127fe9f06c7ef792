using System.Diagnostics.Metrics;

namespace Functions.PgSidecar.Core.Metrics;

/// <summary>
/// A feature's metrics that are read on request: queue lengths, totals that the feature keeps anyway. Events that must be counted as they
/// happen use counters and histograms of the same meter (see <see cref="InvocationMetrics"/>). A feature registers its source with the
/// container; nothing else lists it.
/// </summary>
internal interface IMetricsSource
{
    /// <summary>
    /// Adds the feature's instruments. Their names are those that <c>/metrics</c> shows; docs/http.md lists each of them.
    /// </summary>
    void Register(Meter meter);
}
