namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>Idle memory that can be given up when memory is short.</summary>
internal interface IIdleMemory
{
    /// <summary>Gives it up.</summary>
    void DropIdle();
}

/// <summary>
/// The memory of all invocations together: what their instances have, idle ones included, and the large buffers that the host holds for them. Where it is
/// short, idle instances are given up first; then instances that are already large may not grow, so that small functions go on; at last none may, and
/// no invocation begins.
/// </summary>
public sealed class MemoryBudget
{
    /// <summary>No limit, for engines on their own.</summary>
    public static readonly MemoryBudget Unlimited = new(long.MaxValue);

    /// <summary>An instance is large that has more than this.</summary>
    private const long LargeBytes = 16L << 20;

    private readonly Lock gate = new();
    private readonly List<IIdleMemory> idle = [];
    private readonly LinkedList<TaskCompletionSource> waiting = new();
    private readonly long largeLimit;
    private readonly long admissionLimit;
    private long used;
    private int waiters;

    /// <param name="limit">Bytes.</param>
    public MemoryBudget(long limit)
    {
        Limit = limit;
        // Divided first: the limit may be the largest number.
        largeLimit = limit / 8 * 6;
        admissionLimit = limit / 16 * 15;
    }

    /// <summary>The limit, in bytes.</summary>
    public long Limit { get; }

    /// <summary>Used now, in bytes.</summary>
    public long Used => Interlocked.Read(ref used);

    private bool HasRoom => Used < admissionLimit;

    /// <summary>Takes memory, where there is so much.</summary>
    /// <param name="bytes">How much more.</param>
    /// <param name="owned">What its owner has then.</param>
    public bool TryTake(long bytes, long owned)
    {
        var limit = owned > LargeBytes ? largeLimit : Limit;
        if (TryAdd(bytes, limit))
            return true;
        DropIdle();
        return TryAdd(bytes, limit);
    }

    /// <summary>Takes memory that is in use already, however much there is.</summary>
    public void Take(long bytes) => Interlocked.Add(ref used, bytes);

    /// <summary>Gives memory back.</summary>
    public void Return(long bytes)
    {
        if (bytes == 0)
            return;
        Interlocked.Add(ref used, -bytes);
        if (Volatile.Read(ref waiters) > 0 && HasRoom)
            WakeAll();
    }

    /// <summary>Waits until another invocation may begin.</summary>
    /// <returns>False where that took longer than <paramref name="patience"/>.</returns>
    public ValueTask<bool> WaitForRoomAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (HasRoom)
            return new ValueTask<bool>(true);
        DropIdle();
        return HasRoom ? new ValueTask<bool>(true) : WaitAsync(patience, cancellationToken);
    }

    internal void Register(IIdleMemory memory)
    {
        lock (gate)
            idle.Add(memory);
    }

    internal void Unregister(IIdleMemory memory)
    {
        lock (gate)
            idle.Remove(memory);
    }

    private bool TryAdd(long bytes, long limit)
    {
        if (Interlocked.Add(ref used, bytes) <= limit)
            return true;
        Interlocked.Add(ref used, -bytes);
        return false;
    }

    private void DropIdle()
    {
        IIdleMemory[] all;
        lock (gate)
            all = [.. idle];
        foreach (var memory in all)
            memory.DropIdle();
    }

    private async ValueTask<bool> WaitAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(patience);
        Interlocked.Increment(ref waiters);
        try
        {
            while (!HasRoom)
                await NextReturnAsync(timeout.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref waiters);
        }
    }

    private async Task NextReturnAsync(CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource> node;
        lock (gate)
        {
            // Whoever gives memory back from here on finds this one in the list.
            node = waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (HasRoom)
            {
                waiting.Remove(node);
                return;
            }
        }
        try
        {
            await node.Value.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            lock (gate)
            {
                if (node.List is not null)
                    waiting.Remove(node);
            }
        }
    }

    private void WakeAll()
    {
        lock (gate)
        {
            for (; waiting.First is { } first; waiting.RemoveFirst())
                first.Value.TrySetResult();
        }
    }
}
