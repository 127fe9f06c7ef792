using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The numbers of running and waiting invocations.</summary>
internal sealed class AdmissionMetrics(Invoker invoker) : IMetricsSource
{
    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        meter.CreateObservableGauge("functions_running", () => (long)invoker.Running, null, "Invocations that are running.");
        meter.CreateObservableGauge("functions_waiting", () => (long)invoker.Waiting, null, "Invocations that are waiting for admission.");
    }
}
