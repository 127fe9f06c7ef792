using System.Diagnostics;
using System.Runtime;

namespace Functions.PgSidecar.Benchmarks.Report;

/// <summary>
/// What a process is like that has served for a while: the runtime compiles code that is used often a second time, in the background, and
/// takes
/// a processor for it. What is measured before it has come to rest is the compiler.
/// </summary>
internal static class SteadyState
{
    /// <summary>How long nothing must have been compiled; the largest functions take seconds.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);

    /// <summary>After so long it is measured, whatever is still being compiled.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Does what will be measured until the compiler rests.</summary>
    public static async Task ReachAsync(Func<Task> once, CancellationToken cancellationToken)
    {
        var watch = new Watch();
        while (!watch.IsReached)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await once();
        }
    }

    /// <inheritdoc cref="ReachAsync"/>
    public static void Reach(Action once)
    {
        var watch = new Watch();
        while (!watch.IsReached)
            once();
    }

    private sealed class Watch
    {
        private readonly long began = Stopwatch.GetTimestamp();
        private long changed = Stopwatch.GetTimestamp();
        private long compiled;

        public bool IsReached
        {
            get
            {
                if (JitInfo.GetCompiledMethodCount() is var count && count != compiled)
                    (compiled, changed) = (count, Stopwatch.GetTimestamp());
                return Stopwatch.GetElapsedTime(changed) > Rest || Stopwatch.GetElapsedTime(began) > Patience;
            }
        }
    }
}
