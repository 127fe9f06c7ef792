using Functions.PgSidecar.Core.Bindings;
using Functions.PgSidecar.Core.Bindings.Bodies;
using Functions.PgSidecar.Core.Logs;
using Functions.PgSidecar.Core.Tracing;
using Functions.PgSidecar.Sandbox.Runs;
using Microsoft.Extensions.Logging;

namespace Functions.PgSidecar.Core.Invocations;

/// <summary>The host of one invocation: routes the guest's operations to the bindings, its log and its response.</summary>
internal sealed class InvocationHost(
    Invocation invocation,
    IReadOnlyDictionary<string, IBinding> bindings,
    InvocationLogWriter log,
    ILogger logger
) : IGuestHost, IAsyncDisposable
{
    private readonly Dictionary<string, BindingSession> sessions = new(2, StringComparer.Ordinal);
    private readonly TaskCompletionSource<InvocationResult> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ResponseStream? stream;

    /// <summary>The guest's response, or why there is none.</summary>
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
            session.LogTo(logger, invocation);
        }
        operation.Span = Spans.Begin(invocation.Span, name, operation.Name);
        session.Start(operation);
    }

    /// <inheritdoc/>
    public void Log(GuestLogLevel level, string message) => log.Write(level, message);

    /// <summary>Logs the error that ended the run.</summary>
    public void LogFailure(string message) => log.WriteLast(message);

    /// <inheritdoc/>
    public void Respond(ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> body, bool bodyFollows)
    {
        if (bodyFollows)
            stream = new ResponseStream();
        answer.TrySetResult(new InvocationResult(InvocationOutcome.Succeeded, head, body) { Stream = stream });
    }

    /// <summary>Fails the response, if the run has ended without a complete one.</summary>
    public void Fail(InvocationResult result)
    {
        answer.TrySetResult(result);
        stream?.Complete();
    }

    /// <summary>The external cause of an error that the function did not catch, by its code, if the function did not cause it.</summary>
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

    /// <summary>Releases what the bindings hold: open transactions are rolled back, requests in progress are aborted.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var session in sessions.Values)
            await session.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The bodies of the request and the response belong to the invocation itself.</summary>
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
