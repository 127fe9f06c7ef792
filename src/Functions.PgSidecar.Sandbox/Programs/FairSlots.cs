namespace Functions.PgSidecar.Sandbox.Programs;

/// <summary>
/// Lets a number of computations run at the same time, and fewer of any one function. Those that wait are taken from the functions in turn, so that one
/// that asks for much does not keep the others waiting behind all of it.
/// </summary>
/// <param name="total">Computations at once.</param>
/// <param name="perOwner">Of one function.</param>
internal sealed class FairSlots(int total, int perOwner)
{
    private readonly Lock gate = new();
    private readonly Dictionary<object, Owner> owners = new(ReferenceEqualityComparer.Instance);

    /// <summary>The functions that wait, the one whose turn is next first.</summary>
    private readonly LinkedList<Owner> turns = new();
    private int running;

    /// <summary>Computations that run now.</summary>
    public int Running => Volatile.Read(ref running);

    /// <summary>Waits for a slot; <see cref="Leave"/> gives it back.</summary>
    /// <param name="key">The function.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
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

    /// <summary>Gives a slot back.</summary>
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

    /// <returns>False where the slot was given in the same moment.</returns>
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
        for (var turn = turns.First; turn is not null && running < total;)
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
