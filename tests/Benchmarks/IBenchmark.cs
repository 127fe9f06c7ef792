using Functions.PgSidecar.Benchmarks.Installation;
using Functions.PgSidecar.Benchmarks.Report;

namespace Functions.PgSidecar.Benchmarks;

/// <summary>One part of the table.</summary>
internal interface IBenchmark
{
    /// <summary>What <c>--only</c> calls it.</summary>
    string Name { get; }

    /// <summary>Measures; nothing it has started is left afterwards.</summary>
    Task<IReadOnlyList<Measurement>> MeasureAsync(BenchmarkRun run, CancellationToken cancellationToken);
}

/// <summary>What all parts of a run share.</summary>
/// <param name="Repository">Where things are.</param>
/// <param name="Installation">A migrated database and the executable.</param>
/// <param name="Round">How long each server is pressed each time.</param>
/// <param name="Rounds">How often.</param>
/// <param name="PeerNode">The Node.js 22 that runs peers; <see langword="null"/> where there is none.</param>
internal sealed record BenchmarkRun(Repository Repository, PrivateInstallation Installation, TimeSpan Round, int Rounds, string? PeerNode)
{
    /// <summary>Who calls.</summary>
    public const string User = "11111111-1111-4111-8111-111111111111";

    /// <summary>
    /// How long each server is pressed before it counts: until its just-in-time compiler is done. Ours has thousands of the engine's
    /// functions to do,
    /// which run instrumented meanwhile, at several times their later cost.
    /// </summary>
    public TimeSpan WarmUp => Round * 3;
}
