using System.Diagnostics;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;
using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>Handles the calls of a run's guest: keeps its operations and its outcome.</summary>
internal sealed class RunCalls(GuestRun run, IGuestHost host, SourceMap? map, RunVerdict verdict) : IGuestCalls
{
    private readonly long begunAt = Stopwatch.GetTimestamp();

    /// <summary>The operations in progress.</summary>
    public OperationTable Operations { get; } = new(run, host);

    /// <inheritdoc/>
    public bool Finished => verdict.Outcome is not null;

    /// <inheritdoc/>
    public bool TracksRejections => true;

    /// <inheritdoc/>
    public double ElapsedMilliseconds => GuestClock.CoarseMilliseconds(Stopwatch.GetElapsedTime(begunAt));

    /// <inheritdoc/>
    public void OnStart(int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
        Operations.Start(id, name, arguments, payload);

    /// <inheritdoc/>
    public void OnCancel(int id) => Operations.Cancel(id);

    /// <inheritdoc/>
    public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows)
    {
        if (verdict.TryAnswer())
            host.Respond(head, body, bodyFollows);
    }

    /// <inheritdoc/>
    public void OnFail(GuestError failure) => verdict.Failed(Translate(failure));

    /// <inheritdoc/>
    public void OnDone(GuestError? background) => verdict.Done(background is null ? null : Translate(background));

    /// <inheritdoc/>
    public void OnLog(GuestLogLevel level, string message) => host.Log(level, map is null ? message : map.Translate(message));

    /// <summary>Translates an error's stack to the author's own files by the source map.</summary>
    public GuestError Translate(GuestError error) => map is null ? error : error with { Stack = map.Translate(error.Stack) };
}
