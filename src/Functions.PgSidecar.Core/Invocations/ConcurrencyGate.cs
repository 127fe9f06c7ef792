namespace Functions.PgSidecar.Core.Invocations;

/// <summary>
/// Lets a number of invocations run at the same time and a number of others wait, first come, first served; refuses the rest.
/// </summary>
internal sealed class ConcurrencyGate
{
    private readonly Lock gate = new();
    private readonly LinkedList<TaskCompletionSource<bool>> waiting = new();
    private int concurrency;
    private int queueLimit;
    private int running;

    public ConcurrencyGate(int concurrency, int queueLimit)
    {
        this.concurrency = concurrency;
        this.queueLimit = queueLimit;
    }

    /// <summary>The number of running invocations.</summary>
    public int Running => Volatile.Read(ref running);

    /// <summary>The number of waiting invocations.</summary>
    public int Waiting
    {
        get
        {
            lock (gate)
                return waiting.Count;
        }
    }

    /// <summary>Applies new limits; running and waiting invocations are not affected.</summary>
    public void Resize(int newConcurrency, int newQueueLimit)
    {
        lock (gate)
        {
            concurrency = newConcurrency;
            queueLimit = newQueueLimit;
            while (running < concurrency && TakeWaiter() is { } waiter)
            {
                running++;
                waiter.TrySetResult(true);
            }
        }
    }

    /// <summary>Waits for admission.</summary>
    /// <returns>False if the queue is full, or the wait took longer than <paramref name="timeout"/>.</returns>
    public ValueTask<bool> EnterAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource<bool>> node;
        lock (gate)
        {
            if (running < concurrency)
            {
                running++;
                return new ValueTask<bool>(true);
            }
            if (waiting.Count >= queueLimit)
                return new ValueTask<bool>(false);
            node = waiting.AddLast(new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        return WaitAsync(node, timeout, cancellationToken);
    }

    /// <summary>Ends an invocation and admits the one that has waited longest.</summary>
    public void Leave()
    {
        TaskCompletionSource<bool>? next = null;
        lock (gate)
        {
            if (running > concurrency || (next = TakeWaiter()) is null)
                running--;
        }
        next?.SetResult(true);
    }

    private TaskCompletionSource<bool>? TakeWaiter()
    {
        var first = waiting.First;
        if (first is null)
            return null;
        waiting.RemoveFirst();
        return first.Value;
    }

    private async ValueTask<bool> WaitAsync(
        LinkedListNode<TaskCompletionSource<bool>> node,
        TimeSpan timeout,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await node.Value.Task.WaitAsync(timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            lock (gate)
            {
                // No longer in the list: admission was granted at the instant the wait ended.
                if (node.List is null)
                    return true;
                waiting.Remove(node);
            }
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }
}
