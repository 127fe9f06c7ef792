using System.Diagnostics;
using Functions.PgSidecar.Sandbox.JavaScript.SourceMaps;

using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>What a run's guest says to its host, and what has come of it so far: operations under way, and a verdict at the end.</summary>
internal sealed class RunCalls(GuestRun run, IGuestHost host, SourceMap? map) : IGuestCalls
{
    private readonly long begunAt = Stopwatch.GetTimestamp();

    /// <summary>What the guest has asked for and not got yet.</summary>
    public OperationTable Operations { get; } = new(run, host);

    /// <summary>What becomes of the run.</summary>
    public RunVerdict Verdict { get; } = new();

    /// <inheritdoc/>
    public bool Finished => Verdict.Outcome is not null;

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
    public void OnRespond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body)
    {
        if (Verdict.TryAnswer())
            host.Respond(head, body);
    }

    /// <inheritdoc/>
    public void OnFail(GuestError failure) => Verdict.Failed(Translate(failure));

    /// <inheritdoc/>
    public void OnDone(GuestError? background) => Verdict.Done(background is null ? null : Translate(background));

    /// <inheritdoc/>
    public void OnLog(GuestLogLevel level, string message) => host.Log(level, map is null ? message : map.Translate(message));

    /// <summary>An error whose stack names the author's own files, where a source map knows them.</summary>
    public GuestError Translate(GuestError error) => map is null ? error : error with { Stack = map.Translate(error.Stack) };
}
