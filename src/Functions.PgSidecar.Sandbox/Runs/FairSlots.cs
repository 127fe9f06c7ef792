namespace Functions.PgSidecar.Sandbox.Runs;

/// <summary>
/// Limits how many computations run at the same time, in total and per function. Functions that wait take turns, so that one with many
/// computations does not keep the others waiting behind all of them.
/// </summary>
/// <param name="total">The most computations at the same time.</param>
/// <param name="perOwner">The most of one function.</param>
internal sealed class FairSlots(int total, int perOwner)
{
    private readonly Lock gate = new();
    private readonly Dictionary<object, Owner> owners = new(ReferenceEqualityComparer.Instance);

    /// <summary>The functions that wait, in the order of their turns.</summary>
    private readonly LinkedList<Owner> turns = new();
    private int running;

    /// <summary>Computations running now.</summary>
    public int Running => Volatile.Read(ref running);

    /// <summary>Waits for a slot; <see cref="Leave"/> returns it.</summary>
    /// <param name="key">The function.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task EnterAsync(object key, CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource> node;
        lock (gate)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!owners.TryGetValue(key, out var owner))
                owners.Add(key, owner = new Owner(key));
            if (running < total && owner.Running < perOwner && owner.Waiting.Count == 0)
            {
                running++;
                owner.Running++;
                return Task.CompletedTask;
            }
            node = owner.Waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            if (owner.Waiting.Count == 1)
                turns.AddLast(owner);
        }
        return WaitAsync(key, node, cancellationToken);
    }

    /// <summary>Returns a slot.</summary>
    public void Leave(object key)
    {
        lock (gate)
        {
            var owner = owners[key];
            running--;
            owner.Running--;
            Dispatch();
            ForgetIfIdle(owner);
        }
    }

    private async Task WaitAsync(object key, LinkedListNode<TaskCompletionSource> node, CancellationToken cancellationToken)
    {
        try
        {
            await node.Value.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            if (!TryGiveUp(key, node))
                Leave(key);
            throw;
        }
    }

    /// <returns>False if the waiter has just been given a slot.</returns>
    private bool TryGiveUp(object key, LinkedListNode<TaskCompletionSource> node)
    {
        lock (gate)
        {
            if (node.List is null)
                return false;
            var owner = owners[key];
            owner.Waiting.Remove(node);
            if (owner.Waiting.Count == 0)
                turns.Remove(owner);
            ForgetIfIdle(owner);
            return true;
        }
    }

    private void Dispatch()
    {
        for (var turn = turns.First; turn is not null && running < total; )
        {
            var (owner, next) = (turn.Value, turn.Next);
            if (owner.Running < perOwner)
            {
                var waiter = owner.Waiting.First!.Value;
                owner.Waiting.RemoveFirst();
                running++;
                owner.Running++;
                turns.Remove(turn);
                if (owner.Waiting.Count > 0)
                {
                    var last = turns.AddLast(owner);
                    next ??= last;
                }
                waiter.SetResult();
            }
            turn = next;
        }
    }

    private void ForgetIfIdle(Owner owner)
    {
        if (owner.Running == 0 && owner.Waiting.Count == 0)
            owners.Remove(owner.Key);
    }

    private sealed class Owner(object key)
    {
        public object Key => key;

        public LinkedList<TaskCompletionSource> Waiting { get; } = new();

        public int Running { get; set; }
    }
}
