namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>
/// Shares one role's connections among the functions that run as it. A function holds at most <paramref name="perFunction"/> of them. When
/// all are in use, functions take turns, so that a function with a thousand waiting calls delays another one by one connection's use, not
/// by a thousand. Calls of the same function are served in the order in which they came.
/// </summary>
/// <param name="connections">How many the role has.</param>
/// <param name="perFunction">How many of them one function may hold.</param>
internal sealed class ConnectionGate(int connections, int perFunction)
{
    /// <summary>Functions that are kept although they hold no connection: it saves the next call an allocation.</summary>
    private const int MaxIdleShares = 1000;

    private readonly Lock gate = new();
    private readonly Dictionary<string, Share> shares = new(StringComparer.Ordinal);

    /// <summary>Functions that have a waiting call and may hold one more connection, in the order of their turns.</summary>
    private readonly Queue<Share> turns = new();
    private int used;

    /// <summary>How many connections the role has.</summary>
    public int Connections => connections;

    /// <summary>How many of them one function may hold.</summary>
    public int PerFunction => perFunction;

    /// <summary>How many functions are kept.</summary>
    public int Remembered
    {
        get
        {
            lock (gate)
                return shares.Count;
        }
    }

    /// <summary>How many are held at the moment.</summary>
    public int Used => Volatile.Read(ref used);

    /// <summary>How many a function holds at the moment.</summary>
    public int Held(string function)
    {
        lock (gate)
            return shares.TryGetValue(function, out var share) ? share.Used : 0;
    }

    /// <summary>Waits for the right to hold a connection. On success the caller must call <see cref="Leave"/> exactly once.</summary>
    /// <returns>Null when <paramref name="timeout"/> passed first.</returns>
    public ValueTask<Share?> EnterAsync(string function, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        Share? share;
        LinkedListNode<TaskCompletionSource> waiter;
        lock (gate)
        {
            if (!shares.TryGetValue(function, out share))
                share = AddWithLockHeld(function);
            // Calls that wait although a connection is free have reached their function's limit, so this call overtakes none.
            if (used < connections && share.Used < perFunction)
            {
                used++;
                share.Used++;
                return new ValueTask<Share?>(share);
            }
            waiter = share.Waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            QueueWithLockHeld(share);
        }
        return WaitAsync(share, waiter, timeout, time, cancellationToken);
    }

    /// <summary>Returns the right; the function whose turn it is gets it.</summary>
    public void Leave(Share share)
    {
        lock (gate)
        {
            used--;
            share.Used--;
            QueueWithLockHeld(share);
            while (used < connections && turns.TryDequeue(out var next))
            {
                next.IsQueued = false;
                // Its calls may have stopped waiting, or have been served since it was queued.
                if (next.Waiting.First is not { } waiter || next.Used >= perFunction)
                    continue;
                next.Waiting.RemoveFirst();
                used++;
                next.Used++;
                QueueWithLockHeld(next);
                waiter.Value.SetResult();
            }
        }
    }

    private async ValueTask<Share?> WaitAsync(
        Share share,
        LinkedListNode<TaskCompletionSource> waiter,
        TimeSpan timeout,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await waiter.Value.Task.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
            return share;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            bool granted;
            lock (gate)
            {
                granted = waiter.List is null;
                if (!granted)
                    share.Waiting.Remove(waiter);
            }
            if (e is TimeoutException)
                return granted ? share : null;
            if (granted)
                Leave(share);
            throw;
        }
    }

    private void QueueWithLockHeld(Share share)
    {
        if (share.IsQueued || share.Waiting.Count == 0 || share.Used >= perFunction)
            return;
        share.IsQueued = true;
        turns.Enqueue(share);
    }

    private Share AddWithLockHeld(string function)
    {
        if (shares.Count >= MaxIdleShares)
        {
            foreach (var (name, idle) in shares)
            {
                if (idle is { Used: 0, Waiting.Count: 0 })
                    shares.Remove(name);
            }
        }
        var share = new Share(function);
        shares.Add(function, share);
        return share;
    }

    /// <summary>One function's share of the role's connections.</summary>
    internal sealed class Share(string function)
    {
        public string Function { get; } = function;

        /// <summary>Connections that it holds, abandoned ones included.</summary>
        public int Used;

        /// <summary>Its waiting calls in order of arrival.</summary>
        public LinkedList<TaskCompletionSource> Waiting { get; } = new();

        /// <summary>Whether it is queued for a turn.</summary>
        public bool IsQueued;
    }
}
