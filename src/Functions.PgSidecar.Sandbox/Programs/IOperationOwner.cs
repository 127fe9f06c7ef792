using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>A run, as the operations see it that it has under way.</summary>
internal interface IOperationOwner
{
    /// <summary>When the run's time is up, a <see cref="System.Diagnostics.Stopwatch"/> timestamp.</summary>
    long Deadline { get; }

    /// <summary>Cancelled when the run is over.</summary>
    CancellationToken Ended { get; }

    /// <summary>Called from any thread by an operation that has ended.</summary>
    void Complete(OperationEnd end);
}
