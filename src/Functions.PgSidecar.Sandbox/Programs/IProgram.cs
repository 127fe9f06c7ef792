using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>A function ready to run, whatever it is written in. Every run begins with the same memory, byte for byte.</summary>
public interface IProgram : IDisposable
{
    /// <summary>Memory shared by all instances, in bytes.</summary>
    long SnapshotBytes { get; }

    /// <summary>Runs the program once.</summary>
    /// <param name="request">The event and the limits.</param>
    /// <param name="host">Serves the run.</param>
    /// <param name="abandon">Stops the run as long as it has not answered.</param>
    /// <returns>Completes when nothing of the run is left. Failures of the guest are results, not exceptions.</returns>
    Task<RunResult> RunAsync(RunRequest request, IGuestHost host, CancellationToken abandon);

    /// <summary>Drops the idle instances that nobody has needed since the last call.</summary>
    void Trim();
}
