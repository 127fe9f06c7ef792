namespace Functions.PgSidecar.Core.Invocations;

/// <summary>Counts invocations under way, so that a shutdown can wait for the last of them, and in the end has the last ones stopped.</summary>
internal sealed class InFlight : IDisposable
{
    private readonly CancellationTokenSource cutOff = new();
    private readonly Lock gate = new();
    private readonly TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int count;
    private bool closed;

    /// <summary>Invocations under way.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return count;
        }
    }

    /// <summary>Set when the sidecar does not wait any longer: the caller of those that nobody else calls off.</summary>
    public CancellationToken IsCutOff => cutOff.Token;

    /// <summary>Counts one more, unless the sidecar is shutting down.</summary>
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

    /// <summary>One has ended.</summary>
    public void Leave()
    {
        lock (gate)
        {
            if (--count == 0 && closed)
                drained.TrySetResult();
        }
    }

    /// <summary>Lets no more in, and completes when the last one has ended.</summary>
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

    /// <summary>Stops those under way that have not answered and have no caller of their own who could.</summary>
    public void CutOff() => cutOff.Cancel();

    /// <inheritdoc/>
    public void Dispose() => cutOff.Dispose();
}
