using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>A run, as the operations see it that it has under way.</summary>
internal interface IOperationOwner
{
    /// <summary>When the run's time is up, a <see cref="System.Diagnostics.Stopwatch"/> timestamp.</summary>
    long Deadline { get; }

    /// <summary>What it is a run of; the host's computations are shared out between programs.</summary>
    object Program { get; }

    /// <summary>Processor time that the run may still use, in nanoseconds.</summary>
    long CpuLeftNanoseconds { get; }

    /// <summary>Counts processor time that the host has used for the run, and ends the run where that was the last of it. Called from any thread.</summary>
    void Charge(long nanoseconds);

    /// <summary>Cancelled when the run is over.</summary>
    CancellationToken Ended { get; }

    /// <summary>Called from any thread by an operation that has ended.</summary>
    void Complete(OperationEnd end);
}
