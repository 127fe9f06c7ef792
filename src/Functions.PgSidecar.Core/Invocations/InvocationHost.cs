using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Bindings.Bodies;
using Functions.PgSidecar.Core.Observability;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The outside world of one invocation: routes what its guest asks for to the bindings, its log and its answer.</summary>
internal sealed class InvocationHost(Invocation invocation, IReadOnlyDictionary<string, IBinding> bindings, InvocationLogWriter log)
    : IGuestHost, IAsyncDisposable
{
    /// <summary>How the head ends of an answer whose body follows in operations.</summary>
    private static ReadOnlySpan<byte> Streams => "\"stream\":true}"u8;

    private readonly Dictionary<string, IBindingSession> sessions = new(2, StringComparer.Ordinal);
    private readonly TaskCompletionSource<InvocationResult> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ResponseStream? stream;

    /// <summary>The guest's answer, or why there is none.</summary>
    public Task<InvocationResult> Answer => answer.Task;

    /// <inheritdoc/>
    public void Start(GuestOperation operation)
    {
        var dot = operation.Name.IndexOf('.', StringComparison.Ordinal);
        var name = dot < 0 ? operation.Name : operation.Name[..dot];
        if (!sessions.TryGetValue(name, out var session))
        {
            if (TryStartBody(name, operation))
                return;
            if (!bindings.TryGetValue(name, out var binding))
            {
                operation.Fail("TypeError", $"This sidecar has no operation '{operation.Name}'.", "PGFN5404");
                return;
            }
            session = sessions[name] = binding.Open(invocation);
        }
        session.Start(operation);
    }

    /// <inheritdoc/>
    public void Log(GuestLogLevel level, string message) => log.Write(level, message);

    /// <summary>Logs the error that ended the run.</summary>
    public void LogFailure(string message) => log.WriteLast(message);

    /// <inheritdoc/>
    public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body)
    {
        if (head.Span.EndsWith(Streams))
            stream = new ResponseStream();
        answer.TrySetResult(new InvocationResult(InvocationOutcome.Succeeded, head, body) { Stream = stream });
    }

    /// <summary>The run is over: where it has not answered, or not to the end, it won't.</summary>
    public void Fail(InvocationResult result)
    {
        answer.TrySetResult(result);
        stream?.Complete();
    }

    /// <summary>What an error that the function did not catch comes from, by its code, where the function is not to blame.</summary>
    public OutsideTrouble Explain(string? code)
    {
        var worst = OutsideTrouble.None;
        if (code is not null)
        {
            foreach (var session in sessions.Values)
            {
                if (session.Explain(code) is var trouble && trouble > worst)
                    worst = trouble;
            }
        }
        return worst;
    }

    /// <summary>Gives back what the bindings hold: open transactions are rolled back, requests under way are aborted.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var session in sessions.Values)
            await session.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The bodies of the request and of the answer are the invocation's own.</summary>
    private bool TryStartBody(string name, GuestOperation operation)
    {
        switch (name)
        {
            case "request" when invocation.BodyStream is { } body && operation.Name == "request.read":
                body.Start(operation);
                return true;
            case "response" when stream is { } answering:
                answering.Start(operation);
                return true;
            default:
                return false;
        }
    }
}
