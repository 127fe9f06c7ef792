namespace Functions.PgSidecar.Core.Queues;

/// <summary>How many batches this sidecar delivers at once, of all queues together.</summary>
internal sealed class QueueSlots(int capacity)
{
    private int used;

    /// <summary>Takes up to so many slots.</summary>
    /// <returns>How many were taken.</returns>
    public int Take(int wanted)
    {
        while (true)
        {
            var before = Volatile.Read(ref used);
            var taken = Math.Min(wanted, capacity - before);
            if (taken <= 0)
                return 0;
            if (Interlocked.CompareExchange(ref used, before + taken, before) == before)
                return taken;
        }
    }

    /// <summary>Gives slots back.</summary>
    /// <returns>Whether all had been taken: queues may wait for one.</returns>
    public bool GiveBack(int count) => Interlocked.Add(ref used, -count) + count >= capacity;
}
