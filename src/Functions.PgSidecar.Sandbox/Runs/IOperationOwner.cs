namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>A run, as its operations see it.</summary>
internal interface IOperationOwner
{
    /// <summary>The end of the run's time, a <see cref="System.Diagnostics.Stopwatch"/> timestamp.</summary>
    long Deadline { get; }

    /// <summary>The program that runs. Computations of the host are limited per program.</summary>
    object Program { get; }

    /// <summary>Processor time that the run has left, in nanoseconds.</summary>
    long CpuLeftNanoseconds { get; }

    /// <summary>Counts processor time that the host has used for the run, and ends the run if none is left. Safe from any thread.</summary>
    void Charge(long nanoseconds);

    /// <summary>Cancelled when the run is over.</summary>
    CancellationToken Ended { get; }

    /// <summary>Takes the result of an operation. Safe from any thread.</summary>
    void Complete(OperationEnd end);
}
