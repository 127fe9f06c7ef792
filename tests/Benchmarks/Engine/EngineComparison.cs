namespace Functions.PgSidecar.Benchmarks.Engine;

/// <summary>One round of a workload.</summary>
/// <param name="Milliseconds">Processor time.</param>
/// <param name="Result">What it computed.</param>
internal sealed record Round(double Milliseconds, string Result);

/// <summary>Runs the same workloads by turns, so that whatever else the machine does meets all contestants alike.</summary>
internal static class EngineComparison
{
    /// <summary>Runs a workload so many times with each contestant.</summary>
    /// <returns>
    /// Milliseconds of processor time of each contestant's best round: by then every engine has compiled what it will compile, whatever
    /// else the machine does.
    /// </returns>
    /// <exception cref="InvalidOperationException">They have computed different things.</exception>
    public static double[] Run(string workload, int rounds, params IReadOnlyList<Func<string, Round>> contestants)
    {
        var best = new double[contestants.Count];
        Array.Fill(best, double.MaxValue);
        string? result = null;
        for (var round = 0; round < rounds; round++)
        {
            for (var contestant = 0; contestant < contestants.Count; contestant++)
            {
                var made = contestants[contestant](workload);
                best[contestant] = Math.Min(best[contestant], made.Milliseconds);
                if ((result ??= made.Result) != made.Result)
                    throw new InvalidOperationException($"{workload}: contestant {contestant} computed {made.Result}, others {result}.");
            }
        }
        return best;
    }

    /// <summary>A round in this process.</summary>
    public static Round Measure(Func<string> work)
    {
        var before = Environment.CpuUsage.TotalTime;
        var result = work();
        return new Round((Environment.CpuUsage.TotalTime - before).TotalMilliseconds, result);
    }

    /// <summary>The geometric mean of one contestant's times.</summary>
    public static double Mean(IEnumerable<double> times) => Math.Exp(times.Average(Math.Log));
}
