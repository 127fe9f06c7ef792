using System.Collections.Concurrent;

namespace Functions.PgSidecar.Tests.Conformance;

/// <summary>Adds up what passed, by kind of assertion, and prints it when all scripts have run.</summary>
public sealed class SuiteTotals : IDisposable
{
    private readonly ConcurrentDictionary<string, int> passed = new();

    internal void Add(IEnumerable<KeyValuePair<string, int>> counts)
    {
        foreach (var (kind, count) in counts)
            passed.AddOrUpdate(kind, count, (_, before) => before + count);
    }

    public void Dispose()
    {
        foreach (var (kind, count) in passed.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            Console.WriteLine($"    {count,7} {kind}");
    }
}
