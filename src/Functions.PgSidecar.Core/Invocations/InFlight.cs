namespace Functions.PgSidecar.Core.Invocations;

/// <summary>Counts running invocations, so that a shutdown can wait for them, and finally stop those that are left.</summary>
internal sealed class InFlight : IDisposable
{
    private readonly CancellationTokenSource cutOff = new();
    private readonly Lock gate = new();
    private readonly TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int count;
    private bool closed;

    /// <summary>The number of running invocations.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return count;
        }
    }

    /// <summary>Cancelled when the sidecar stops waiting: stands in for the caller of invocations that no one else can cancel.</summary>
    public CancellationToken IsCutOff => cutOff.Token;

    /// <summary>Counts an invocation, unless the sidecar is shutting down.</summary>
    public bool TryEnter()
    {
        lock (gate)
        {
            if (closed)
                return false;
            count++;
            return true;
        }
    }

    /// <summary>Ends an invocation.</summary>
    public void Leave()
    {
        lock (gate)
        {
            if (--count == 0 && closed)
                drained.TrySetResult();
        }
    }

    /// <summary>Admits no more, and completes when the last one has ended.</summary>
    public Task CloseAsync()
    {
        lock (gate)
        {
            closed = true;
            if (count == 0)
                drained.TrySetResult();
            return drained.Task;
        }
    }

    /// <summary>Stops the running invocations that have not answered and have no caller who could cancel them.</summary>
    public void CutOff() => cutOff.Cancel();

    /// <inheritdoc/>
    public void Dispose() => cutOff.Dispose();
}
