using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Storage;

/// <summary>Metrics of buckets.</summary>
internal sealed class StorageMetrics(Meter meter) : IMetricsSource
{
    private readonly Counter<long> bytes = meter.CreateCounter<long>(
        "functions_storage_bytes_total",
        null,
        "Bytes of objects that were read and written, by direction."
    );
    private readonly Counter<long> reclaimed = meter.CreateCounter<long>(
        "functions_storage_reclaimed_bytes_total",
        null,
        "Bytes that this sidecar removed because no object refers to them any more."
    );

    /// <summary>Counts bytes that left.</summary>
    public void CountRead(long count) => bytes.Add(count, new KeyValuePair<string, object?>("direction", "read"));

    /// <summary>Counts bytes that arrived.</summary>
    public void CountWritten(long count) => bytes.Add(count, new KeyValuePair<string, object?>("direction", "written"));

    /// <summary>Counts bytes that were removed.</summary>
    public void CountReclaimed(long count) => reclaimed.Add(count);

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        CountRead(0);
        CountWritten(0);
        CountReclaimed(0);
    }
}
