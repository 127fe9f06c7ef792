using System.Diagnostics;
using System.Text.Json;

namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>An asynchronous operation that a guest has requested from its host. A promise of the guest waits for it.</summary>
public sealed class GuestOperation
{
    private readonly IOperationOwner run;
    private CancellationTokenSource? cancellation;
    private volatile bool cancelled;
    private int ended;

    internal GuestOperation(IOperationOwner run, int id, string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload)
    {
        this.run = run;
        Id = id;
        Name = name;
        Arguments = arguments;
        Payload = payload;
    }

    /// <summary>The operation's name: <c>db.query</c>, <c>fetch</c>, ...</summary>
    public string Name { get; }

    /// <summary>Its arguments, UTF-8 JSON. The guest wrote it: never trust it.</summary>
    public ReadOnlyMemory<byte> Arguments { get; }

    /// <summary>Bytes that belong to it (a request's body); empty if there are none.</summary>
    public ReadOnlyMemory<byte> Payload { get; }

    /// <summary>Cancelled when the guest abandons the operation, or when its run ends.</summary>
    public CancellationToken Cancellation
    {
        get
        {
            var source = Volatile.Read(ref cancellation);
            if (source is null)
            {
                source = CancellationTokenSource.CreateLinkedTokenSource(run.Ended);
                source = Interlocked.CompareExchange(ref cancellation, source, null) ?? source;
                // The guest abandoned it before the source existed.
                if (cancelled)
                    source.Cancel();
            }
            return source.Token;
        }
    }

    /// <summary>The end of the run's time, a <see cref="System.Diagnostics.Stopwatch"/> timestamp.</summary>
    public long Deadline => run.Deadline;

    /// <summary>The span that lasts until the operation ends; null without tracing.</summary>
    public Activity? Span { get; set; }

    /// <summary>Whether it has ended or was abandoned.</summary>
    internal bool IsOver => Volatile.Read(ref ended) != 0;

    internal int Id { get; }

    /// <summary>
    /// Runs a computation that takes processor time. It waits for its turn among all functions and counts as the run's processor time. It
    /// is abandoned when the run is over or has no processor time left. Never call it on a sandbox thread.
    /// </summary>
    /// <param name="work">The computation. One that can take longer than a few milliseconds must check its budget regularly.</param>
    /// <exception cref="OperationCanceledException">The run is over.</exception>
    public Task<T> ComputeAsync<T>(Func<HostBudget, T> work) => HostComputation.RunAsync(this, run, work);

    /// <summary>Counts processor time that the host has used for this operation outside of <see cref="ComputeAsync"/>.</summary>
    /// <param name="nanoseconds">How much, in nanoseconds.</param>
    public void Charge(long nanoseconds) => run.Charge(nanoseconds);

    /// <summary>Resolves the guest's promise.</summary>
    /// <param name="result">UTF-8, in the form that the operation defines; copied into the guest in its next turn.</param>
    /// <param name="payload">Bytes that belong to it.</param>
    public void Succeed(ReadOnlyMemory<byte> result, ReadOnlyMemory<byte> payload = default)
    {
        if (Interlocked.Exchange(ref ended, 1) != 0)
            return;
        Span?.Stop();
        run.Complete(new OperationEnd(Id, true, result, payload));
    }

    /// <summary>Rejects the guest's promise with an Error that has these members.</summary>
    /// <param name="error">UTF-8 JSON with <c>name</c>, <c>message</c> and optionally <c>code</c> and others.</param>
    public void Fail(ReadOnlyMemory<byte> error)
    {
        if (Interlocked.Exchange(ref ended, 1) != 0)
            return;
        run.Complete(new OperationEnd(Id, false, error, default));
        EndSpan(error);
    }

    /// <summary>Rejects the guest's promise.</summary>
    /// <param name="name">The error's class.</param>
    /// <param name="message">What happened, and what the author of the function can do.</param>
    /// <param name="code">A stable code.</param>
    public void Fail(string name, string message, string? code = null) => Fail(GuestError.ToJson(name, message, code));

    /// <summary>The guest has abandoned the operation: drop its result.</summary>
    internal void Cancel()
    {
        cancelled = true;
        if (Interlocked.Exchange(ref ended, 1) == 0)
            EndSpan(default);
        _ = Volatile.Read(ref cancellation)?.CancelAsync();
    }

    /// <summary>Ends the span of an operation that failed or was abandoned. It gets the error's code; the message may quote data.</summary>
    private void EndSpan(ReadOnlyMemory<byte> error)
    {
        if (Span is null)
            return;
        Span.SetStatus(ActivityStatusCode.Error);
        if (error.IsEmpty)
        {
            Span.SetTag("error.type", "abandoned");
        }
        else
        {
            using var json = JsonDocument.Parse(error);
            if (json.RootElement.TryGetProperty("code"u8, out var type) || json.RootElement.TryGetProperty("name"u8, out type))
                Span.SetTag("error.type", type.ToString());
        }
        Span.Stop();
    }
}

/// <summary>The result of an operation, on its way into the guest.</summary>
/// <param name="Id">The operation's number within its run.</param>
/// <param name="Succeeded">Whether it succeeded.</param>
/// <param name="Result">UTF-8, in the form that the operation defines; of one that failed, its error as JSON.</param>
/// <param name="Payload">Bytes that belong to the result.</param>
public readonly record struct OperationEnd(int Id, bool Succeeded, ReadOnlyMemory<byte> Result, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Bytes of memory that it takes while it waits.</summary>
    public long Bytes => (long)Result.Length + Payload.Length;
}
