using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Logs;

/// <summary>Metrics of dropped log lines and records.</summary>
internal sealed class LogMetrics(InvocationLog log) : IMetricsSource
{
    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        meter.CreateObservableCounter(
            "functions_log_lines_dropped_total",
            () => log.DroppedLines,
            null,
            "Log lines that could not be kept."
        );
        meter.CreateObservableCounter(
            "functions_log_lines_cut_total",
            () => log.CutLines,
            null,
            "Log lines dropped by the limits of an invocation or a function."
        );
        meter.CreateObservableCounter("functions_log_bytes_cut_total", () => log.CutBytes, "By", "The bytes of those lines.");
        meter.CreateObservableCounter(
            "functions_log_invocations_dropped_total",
            () => log.DroppedRecords,
            null,
            "Invocation records that could not be kept."
        );
    }
}
