using System.Collections.Concurrent;

namespace Functions.PgSidecar.Core.Queues;

/// <summary>
/// The batches of one queue that are leased to this sidecar: those that wait for a slot, those that are being delivered, and those whose
/// outcome is being recorded. Starts deliveries as slots become free.
/// </summary>
/// <param name="slots">The slots of all queues.</param>
/// <param name="start">Starts the delivery of a batch, without waiting for anything. It calls <see cref="Delivered"/> at its end, and
/// <see cref="Recorded"/> when its outcome is recorded.</param>
/// <param name="capacityIsFree">Wakes the queues that found no slot.</param>
/// <param name="time">The clock.</param>
internal sealed class HeldBatches(QueueSlots slots, Action<QueueBatch> start, Action capacityIsFree, TimeProvider time)
{
    /// <summary>The most batches. While outcomes can't be recorded, no more are claimed.</summary>
    private const int MaxHeld = 1000;

    /// <summary>
    /// For how long batches are claimed ahead, as fast as they ended last. So a claim, which costs about as much for one message as for
    /// ten, is for many; and a slow function holds no messages that another sidecar could deliver.
    /// </summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(50);

    /// <summary>The leases of batches.</summary>
    private readonly ConcurrentDictionary<Guid, Guid> leases = new();
    private readonly Lock gate = new();
    private readonly Queue<QueueBatch> waiting = new();
    private int capacity;
    private int running;
    private int ended;
    private int ahead;
    private long measured = time.GetTimestamp();

    /// <summary>Whether nothing is leased.</summary>
    public bool IsEmpty => leases.IsEmpty;

    /// <summary>The leases, which have to be extended.</summary>
    public Guid[] Leases => [.. leases.Values.Distinct()];

    /// <summary>Whether so few batches run and wait that a claim is worth its cost at once.</summary>
    public bool IsLow
    {
        get
        {
            lock (gate)
                return running + waiting.Count <= Math.Max(capacity - Math.Max(1, capacity / 4), (capacity + ahead) / 2);
        }
    }

    /// <summary>
    /// How many batches to claim, and takes the slots for those of them that can start at once. Give the slots to <see cref="Start"/>.
    /// </summary>
    /// <param name="newCapacity">The most batches that may be delivered at once.</param>
    /// <param name="most">The most batches in one claim.</param>
    /// <param name="mayClaimAhead">Whether batches may be claimed that can't start at once.</param>
    public (int Batches, int Slots) Plan(int newCapacity, int most, bool mayClaimAhead)
    {
        lock (gate)
        {
            capacity = newCapacity;
            var elapsed = time.GetElapsedTime(measured);
            if (elapsed > TimeSpan.Zero)
            {
                ahead = mayClaimAhead ? (int)Math.Min(most, ended * (Ahead / elapsed)) : 0;
                measured = time.GetTimestamp();
                ended = 0;
            }
            var room = Math.Min(most, MaxHeld - leases.Count);
            var atOnce = Math.Min(room, capacity - running - waiting.Count);
            var taken = atOnce > 0 ? slots.Take(atOnce) : 0;
            // Without a batch that runs, nothing would start those that were claimed ahead.
            var later = running + taken == 0 ? 0 : Math.Min(room - taken, ahead - Math.Max(0, waiting.Count + running - capacity));
            return (taken + Math.Max(0, later), taken);
        }
    }

    /// <summary>Adds batches that were claimed.</summary>
    /// <param name="claimed">The batches.</param>
    /// <param name="taken">How many slots were taken for them. What is not needed is given back.</param>
    public void Start(IReadOnlyList<QueueBatch> claimed, int taken)
    {
        foreach (var batch in claimed)
            leases[batch.Id] = batch.Lease;
        lock (gate)
        {
            foreach (var batch in claimed)
                waiting.Enqueue(batch);
            StartWaitingWhileLocked(taken);
        }
    }

    /// <summary>A delivery has ended; its slot serves the next batch.</summary>
    public void Delivered()
    {
        lock (gate)
        {
            running--;
            ended++;
            // If another queue wants slots, all queues get their chance.
            if (slots.GiveBack(1))
                capacityIsFree();
            else
                StartWaitingWhileLocked(0);
        }
    }

    /// <summary>Starts what waits, if there are slots.</summary>
    public void StartWaiting()
    {
        lock (gate)
            StartWaitingWhileLocked(0);
    }

    /// <summary>The outcome of a batch is recorded, or its lease is lost.</summary>
    public void Recorded(QueueBatch batch) => leases.TryRemove(batch.Id, out _);

    /// <summary>Removes the batches that wait for a slot, for the caller to release them.</summary>
    public IReadOnlyList<QueueBatch> TakeWaiting()
    {
        lock (gate)
        {
            QueueBatch[] left = [.. waiting];
            waiting.Clear();
            return left;
        }
    }

    private void StartWaitingWhileLocked(int taken)
    {
        while (waiting.Count > 0)
        {
            if (taken == 0 && (running >= capacity || (taken = slots.Take(1)) == 0))
                break;
            taken--;
            running++;
            start(waiting.Dequeue());
        }
        if (taken > 0 && slots.GiveBack(taken))
            capacityIsFree();
    }
}
