using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Vectors;

/// <summary>
/// Whether few vectors fulfil the conditions of a search. Comparing each of few takes no longer than searching the HNSW index for those
/// that pass, and misses none: an index whose nearest vectors do not pass is searched for long, and ends among far ones. The planner takes
/// the HNSW index for much cheaper than it is then. Counted at the first search with the same conditions, and again after a minute.
/// </summary>
internal sealed class VectorSelectivity(TimeProvider time)
{
    /// <summary>As many vectors are compared in about 20 ms.</summary>
    public const int Few = 10_000;

    private const int MaxKnown = 1_000;

    private static readonly TimeSpan Validity = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<SearchConditions, (bool AreFew, long Since)> known = new();

    /// <summary>What was counted lately; null if nothing was.</summary>
    public bool? Find(SearchConditions conditions) =>
        known.TryGetValue(conditions, out var entry) && time.GetElapsedTime(entry.Since) <= Validity ? entry.AreFew : null;

    /// <summary>Remembers what was counted.</summary>
    public void Remember(SearchConditions conditions, bool areFew)
    {
        if (known.Count >= MaxKnown)
            known.Clear();
        known[conditions] = (areFew, time.GetTimestamp());
    }
}

/// <summary>The conditions of a search, and the caller, on whom policies may depend.</summary>
internal readonly record struct SearchConditions(string Index, string? Namespace, string? Filter, string Role, string? Subject);
