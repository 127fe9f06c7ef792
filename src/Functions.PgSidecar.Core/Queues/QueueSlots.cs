namespace Functions.PgSidecar.Core.Queues;

/// <summary>How many batches this sidecar delivers at once, of all queues together.</summary>
internal sealed class QueueSlots(int capacity)
{
    private int used;
    private int isWanted;

    /// <summary>The most batches at once.</summary>
    public int Capacity => capacity;

    /// <summary>Takes up to so many slots.</summary>
    /// <returns>How many were taken. If none, whoever gives slots back next is told to wake the others.</returns>
    public int Take(int wanted)
    {
        while (true)
        {
            var before = Volatile.Read(ref used);
            var taken = Math.Min(wanted, capacity - before);
            if (taken <= 0)
            {
                // If it is set for the first time, slots may have been given back meanwhile, by somebody who did not see it.
                if (Interlocked.Exchange(ref isWanted, 1) == 1)
                    return 0;
                continue;
            }
            if (Interlocked.CompareExchange(ref used, before + taken, before) == before)
                return taken;
        }
    }

    /// <summary>Gives slots back.</summary>
    /// <returns>
    /// Whether a queue found none since slots were given back last, and has to be woken. An idle queue takes slots and gives them back
    /// each time it looks for messages; if that woke queues, they would never stop looking.
    /// </returns>
    public bool GiveBack(int count)
    {
        Interlocked.Add(ref used, -count);
        return Interlocked.Exchange(ref isWanted, 0) == 1;
    }
}
