using System.Diagnostics;
using Functions.PgSidecar.Sandbox.JavaScript;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>
/// What one computation of the host for a function may still use: its run's processor time and wall-clock time. Used on the thread that computes.
/// A computation that can be long asks <see cref="ThrowIfSpent"/> between its parts.
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

    /// <summary>Processor time that this computation has used, in nanoseconds.</summary>
    internal long UsedNanoseconds => SandboxThread.CpuNanoseconds() - began;

    /// <summary>Whether the run is over, or has no time left.</summary>
    public bool IsSpent => operation.IsOver || Stopwatch.GetTimestamp() >= operation.Deadline || UsedNanoseconds > left;

    /// <summary>Ends the computation where the run is over or has no time left.</summary>
    /// <exception cref="OperationCanceledException">It is.</exception>
    public void ThrowIfSpent()
    {
        if (IsSpent)
            throw new OperationCanceledException();
    }

    /// <summary>
    /// For a computation that can't be interrupted: where it takes longer than the run has left, the run ends now, as if it had been computed.
    /// </summary>
    /// <param name="nanoseconds">What it takes at least.</param>
    /// <exception cref="OperationCanceledException">The run has not so much left.</exception>
    public void Require(long nanoseconds)
    {
        ThrowIfSpent();
        if (nanoseconds <= left - UsedNanoseconds)
            return;
        operation.Charge(left);
        throw new OperationCanceledException();
    }
}
