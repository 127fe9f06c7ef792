using System.Diagnostics.Metrics;
using Functions.PgSidecar.Core.Metrics;

namespace Functions.PgSidecar.Core.Cache;

/// <summary>Metrics of caches.</summary>
internal sealed class CacheMetrics(Meter meter, CacheCopies copies) : IMetricsSource
{
    private readonly Counter<long> reads = meter.CreateCounter<long>(
        "functions_cache_reads_total",
        null,
        "Keys that functions read from caches, by result."
    );
    private readonly Counter<long> copied = meter.CreateCounter<long>(
        "functions_cache_copy_reads_total",
        null,
        "Keys that functions read with cacheTtl and that a copy in memory answered; they are among functions_cache_reads_total."
    );
    private readonly Counter<long> removed = meter.CreateCounter<long>(
        "functions_cache_removed_total",
        null,
        "Values that this sidecar removed because they had expired or there was no space."
    );

    /// <summary>Counts the reading of keys.</summary>
    /// <param name="hits">Keys that had a value.</param>
    /// <param name="misses">Keys that had none.</param>
    /// <param name="copied">How many of both were answered by copies.</param>
    public void CountReads(int hits, int misses, int copied)
    {
        this.copied.Add(copied);
        reads.Add(hits, new KeyValuePair<string, object?>("result", "hit"));
        reads.Add(misses, new KeyValuePair<string, object?>("result", "miss"));
    }

    /// <summary>Counts values that were removed.</summary>
    public void CountRemoved(long count) => removed.Add(count);

    /// <inheritdoc/>
    public void Register(Meter meter)
    {
        CountReads(0, 0, 0);
        CountRemoved(0);
        meter.CreateObservableGauge(
            "functions_cache_copies_bytes",
            () => copies.Bytes,
            "By",
            "Memory of copies of cached values, for reads with cacheTtl."
        );
    }
}
