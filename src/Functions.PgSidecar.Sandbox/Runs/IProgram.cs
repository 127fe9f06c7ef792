namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// A function that is ready to run, in whatever language it is written. Every run starts with the same memory, byte for byte.
/// </summary>
public interface IProgram : IDisposable
{
    /// <summary>Memory shared by all instances, in bytes.</summary>
    long SnapshotBytes { get; }

    /// <summary>Runs the program once.</summary>
    /// <param name="request">The event and the limits.</param>
    /// <param name="host">Serves the run.</param>
    /// <param name="abandon">Stops the run if it has not answered yet.</param>
    /// <returns>Completes when the run has ended and its memory is released. Failures of the guest are results, not exceptions.</returns>
    Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon);

    /// <summary>Drops idle instances that no run has used since the last call.</summary>
    void Trim();
}
