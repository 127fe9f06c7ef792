using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>An asynchronous operation that a guest has asked of its host, and the promise that waits for it.</summary>
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

    /// <summary>Its arguments, UTF-8 JSON written by the guest: not to be trusted.</summary>
    public ReadOnlyMemory<byte> Arguments { get; }

    /// <summary>The bytes that go with it (a request body), empty where there are none.</summary>
    public ReadOnlyMemory<byte> Payload { get; }

    /// <summary>Cancelled when the guest gives the operation up, or when its run ends.</summary>
    public CancellationToken Cancellation
    {
        get
        {
            var source = Volatile.Read(ref cancellation);
            if (source is null)
            {
                source = CancellationTokenSource.CreateLinkedTokenSource(run.Ended);
                source = Interlocked.CompareExchange(ref cancellation, source, null) ?? source;
                // Given up before anybody had asked.
                if (cancelled)
                    source.Cancel();
            }
            return source.Token;
        }
    }

    /// <summary>When the run's time is up, a <see cref="System.Diagnostics.Stopwatch"/> timestamp.</summary>
    public long Deadline => run.Deadline;

    /// <summary>Whether it has ended, or nobody waits for its end any more.</summary>
    internal bool IsOver => Volatile.Read(ref ended) != 0;

    internal int Id { get; }

    /// <summary>
    /// Computes something for the guest that takes processor time: in its turn among all functions, counted as the run's processor time, and given up when
    /// the run is over or has none left. Not to be called on a sandbox thread.
    /// </summary>
    /// <param name="work">The computation. What can take longer than some milliseconds asks its budget now and then.</param>
    /// <exception cref="OperationCanceledException">The run is over.</exception>
    public Task<T> ComputeAsync<T>(Func<HostBudget, T> work) => HostComputation.RunAsync(this, run, work);

    /// <summary>Counts processor time that the host has used for this operation and that was not measured by <see cref="ComputeAsync"/>.</summary>
    /// <param name="nanoseconds">How much.</param>
    public void Charge(long nanoseconds) => run.Charge(nanoseconds);

    /// <summary>Resolves the guest's promise.</summary>
    /// <param name="result">UTF-8, as the operation's contract says; copied into the guest when its next turn comes.</param>
    /// <param name="payload">Bytes that go with it.</param>
    public void Succeed(ReadOnlyMemory<byte> result, ReadOnlyMemory<byte> payload = default)
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
            run.Complete(new OperationEnd(Id, true, result, payload));
    }

    /// <summary>Rejects the guest's promise with an Error of these members.</summary>
    /// <param name="error">UTF-8 JSON with <c>name</c>, <c>message</c> and, where they say more, <c>code</c> and others.</param>
    public void Fail(ReadOnlyMemory<byte> error)
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
            run.Complete(new OperationEnd(Id, false, error, default));
    }

    /// <summary>Rejects the guest's promise.</summary>
    /// <param name="name">The error's class.</param>
    /// <param name="message">What happened and what to do.</param>
    /// <param name="code">A stable code.</param>
    public void Fail(string name, string message, string? code = null) => Fail(GuestError.ToJson(name, message, code));

    /// <summary>The guest does not want the operation any more; what it still answers is dropped.</summary>
    internal void Cancel()
    {
        cancelled = true;
        Interlocked.Exchange(ref ended, 1);
        _ = Volatile.Read(ref cancellation)?.CancelAsync();
    }
}

/// <summary>The end of an operation, on its way into the guest.</summary>
internal readonly record struct OperationEnd(int Id, bool Succeeded, ReadOnlyMemory<byte> Result, ReadOnlyMemory<byte> Payload)
{
    /// <summary>What it takes while it waits.</summary>
    public long Bytes => (long)Result.Length + Payload.Length;
}
