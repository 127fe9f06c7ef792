using System.Diagnostics;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// The processor time and wall-clock time that its run has left for one computation of the host. Used on the thread that computes. A
/// computation that can be long calls <see cref="ThrowIfSpent"/> between its parts.
/// </summary>
public sealed class HostBudget
{
    private readonly GuestOperation operation;
    private readonly long left;
    private readonly long began = SandboxThread.CpuNanoseconds();

    internal HostBudget(GuestOperation operation, long leftNanoseconds)
    {
        this.operation = operation;
        left = leftNanoseconds;
    }

    /// <summary>Processor time that this computation has used so far, in nanoseconds.</summary>
    internal long UsedNanoseconds => SandboxThread.CpuNanoseconds() - began;

    /// <summary>Whether the run is over, or has no time left.</summary>
    public bool IsSpent => operation.IsOver || Stopwatch.GetTimestamp() >= operation.Deadline || UsedNanoseconds > left;

    /// <summary>Ends the computation if the run is over or has no time left.</summary>
    /// <exception cref="OperationCanceledException">The run is over or has no time left.</exception>
    public void ThrowIfSpent()
    {
        if (IsSpent)
            throw new OperationCanceledException();
    }

    /// <summary>
    /// For a computation that can't be interrupted. If it needs more than the run has left, the run ends at once, as if the time had been
    /// used.
    /// </summary>
    /// <param name="nanoseconds">The least that the computation takes.</param>
    /// <exception cref="OperationCanceledException">The run has less left.</exception>
    public void Require(long nanoseconds)
    {
        ThrowIfSpent();
        if (nanoseconds <= left - UsedNanoseconds)
            return;
        operation.Charge(left);
        throw new OperationCanceledException();
    }
}
