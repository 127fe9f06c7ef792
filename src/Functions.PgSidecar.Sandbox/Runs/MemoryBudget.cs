namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>Idle memory that can be freed when memory is short.</summary>
internal interface IIdleMemory
{
    /// <summary>Frees it.</summary>
    void DropIdle();
}

/// <summary>
/// The memory of all invocations together: that of their instances, idle ones included, and the large buffers that the host holds for them.
/// When it runs short, idle instances are dropped first. Then large instances may not grow, so that small functions continue to run. At
/// last no instance may grow, and no invocation starts.
/// </summary>
public sealed class MemoryBudget
{
    /// <summary>No limit, for engines that are used without a sidecar.</summary>
    public static readonly MemoryBudget Unlimited = new(long.MaxValue);

    /// <summary>An instance with more than this is large: 16 MiB.</summary>
    private const long LargeBytes = 16L << 20;

    private readonly Lock gate = new();
    private readonly List<IIdleMemory> idle = [];
    private readonly LinkedList<TaskCompletionSource> returns = new();
    private readonly long largeLimit;
    private readonly long admissionLimit;
    private long used;
    private int waiters;

    /// <param name="limit">Bytes.</param>
    public MemoryBudget(long limit)
    {
        Limit = limit;
        // Divide first: the limit may be long.MaxValue.
        largeLimit = limit / 8 * 6;
        admissionLimit = limit / 16 * 15;
    }

    /// <summary>The limit, in bytes.</summary>
    public long Limit { get; }

    /// <summary>Used now, in bytes.</summary>
    public long Used => Interlocked.Read(ref used);

    private bool HasFreeMemory => Used < admissionLimit;

    /// <summary>Takes memory if there is enough.</summary>
    /// <param name="bytes">How many bytes to take.</param>
    /// <param name="owned">How many bytes its owner has afterwards.</param>
    public bool TryTake(long bytes, long owned)
    {
        var limit = owned > LargeBytes ? largeLimit : Limit;
        if (TryAdd(bytes, limit))
            return true;
        DropIdle();
        return TryAdd(bytes, limit);
    }

    /// <summary>Counts memory that is already in use, even beyond the limit.</summary>
    public void Take(long bytes) => Interlocked.Add(ref used, bytes);

    /// <summary>Returns memory.</summary>
    public void Return(long bytes)
    {
        if (bytes == 0)
            return;
        Interlocked.Add(ref used, -bytes);
        if (Volatile.Read(ref waiters) > 0 && HasFreeMemory)
            WakeAll();
    }

    /// <summary>Waits until another invocation may start.</summary>
    /// <returns>False after <paramref name="timeout"/>.</returns>
    public ValueTask<bool> WaitForMemoryAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (HasFreeMemory)
            return new ValueTask<bool>(true);
        DropIdle();
        return HasFreeMemory ? new ValueTask<bool>(true) : WaitAsync(timeout, cancellationToken);
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

    private async ValueTask<bool> WaitAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        waiting.CancelAfter(timeout);
        Interlocked.Increment(ref waiters);
        try
        {
            while (!HasFreeMemory)
                await NextReturnAsync(waiting.Token).ConfigureAwait(false);
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
            // A later Return finds this waiter in the list; an earlier one has changed HasFreeMemory.
            node = returns.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (HasFreeMemory)
            {
                returns.Remove(node);
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
                    returns.Remove(node);
            }
        }
    }

    private void WakeAll()
    {
        lock (gate)
        {
            for (; returns.First is { } first; returns.RemoveFirst())
                first.Value.TrySetResult();
        }
    }
}
