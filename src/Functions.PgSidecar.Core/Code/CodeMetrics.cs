using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Code;

/// <summary>Metrics of the code of functions in buckets.</summary>
internal sealed class CodeMetrics(Meter meter) : IMetricsSource
{
    private readonly Counter<long> failures = meter.CreateCounter<long>(
        "functions_code_copy_failures_total",
        null,
        "Copies of functions' code that were missing, wrong or could not be read, by place."
    );
    private readonly Counter<long> moves = meter.CreateCounter<long>(
        "functions_code_moves_total",
        null,
        "Versions whose code was moved, by target."
    );

    /// <summary>Counts a copy that can't be used.</summary>
    public void CountFailure(string place) => failures.Add(1, new KeyValuePair<string, object?>("place", place));

    /// <summary>Counts a version that was moved.</summary>
    public void CountMove(string target) => moves.Add(1, new KeyValuePair<string, object?>("target", target));

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        foreach (var place in (string[])["table", "bucket"])
            failures.Add(0, new KeyValuePair<string, object?>("place", place));
        foreach (var target in (string[])["table", "bucket", "both"])
            moves.Add(0, new KeyValuePair<string, object?>("target", target));
    }
}
