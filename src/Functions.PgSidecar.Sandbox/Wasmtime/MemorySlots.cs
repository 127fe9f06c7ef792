
using Functions.PgSidecar.Sandbox.Programs;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Memories that begin as one image. Those that have been used are put back to it and kept for the next instance: its pages are there already, and cost no
/// faults.
/// </summary>
/// <param name="image">What they begin as; freed with the slots.</param>
internal sealed class MemorySlots(MemoryImage image) : IIdleMemory, IDisposable
{
    /// <summary>Idle ones kept at most.</summary>
    private const int MaxIdle = 256;

    /// <summary>Above so many changed bytes the image is mapped anew: copying would cost more, and an idle slot would keep that much memory.</summary>
    private const long MaximumCopiedBytes = 8 * 1024 * 1024;

    /// <summary>What an idle one is counted with: about what has been written to it and is kept.</summary>
    private const long IdleBytes = 512 * 1024;

    private readonly Lock gate = new();
    private readonly Stack<MemorySlot> idle = new();
    private int leastIdle;
    private int lent;
    private bool disposed;
    private MemoryBudget? budget;

    /// <summary>What they begin as.</summary>
    public MemoryImage Image => image;

    /// <summary>Counts idle memories as memory of all, and gives them up when that is short.</summary>
    public void ShareWith(MemoryBudget all)
    {
        budget = all;
        all.Register(this);
    }

    /// <inheritdoc/>
    public void DropIdle()
    {
        lock (gate)
            leastIdle = idle.Count;
        Trim();
    }

    /// <summary>A memory that begins as the image.</summary>
    /// <param name="capacity">Address space that it needs, the same at every call.</param>
    public MemorySlot Take(long capacity)
    {
        MemorySlot? slot;
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            lent++;
            idle.TryPop(out slot);
            leastIdle = Math.Min(leastIdle, idle.Count);
        }
        if (slot is not null)
        {
            budget?.Return(IdleBytes);
            return slot;
        }
        try
        {
            slot = MemorySlot.Reserve(capacity);
            slot.Map(image);
            return slot;
        }
        catch
        {
            slot?.Free();
            GiveBack(null);
            throw;
        }
    }

    /// <summary>Takes a memory back that no store uses any more.</summary>
    public void Return(MemorySlot slot)
    {
        bool isWanted;
        lock (gate)
            isWanted = !disposed && idle.Count < MaxIdle;
        if (isWanted)
            slot.PutBack(image, MaximumCopiedBytes);
        if (GiveBack(isWanted ? slot : null))
            return;
        slot.Free();
    }

    /// <summary>Frees the idle memories that nobody has needed since the last call.</summary>
    public void Trim()
    {
        var surplus = new List<MemorySlot>();
        lock (gate)
        {
            for (var i = 0; i < leastIdle; i++)
                surplus.Add(idle.Pop());
            leastIdle = idle.Count;
        }
        surplus.ForEach(static slot => slot.Free());
        budget?.Return(surplus.Count * IdleBytes);
    }

    /// <summary>Frees the image, once the memories that are lent have come back; no others can be had.</summary>
    public void Dispose()
    {
        bool isLast;
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
            leastIdle = 0;
            isLast = lent == 0;
            budget?.Return(idle.Count * IdleBytes);
            while (idle.TryPop(out var slot))
                slot.Free();
        }
        budget?.Unregister(this);
        if (isLast)
            image.Dispose();
    }

    /// <summary>Keeps a memory.</summary>
    /// <returns>Whether it was kept.</returns>
    private bool GiveBack(MemorySlot? slot)
    {
        bool isLast;
        lock (gate)
        {
            lent--;
            isLast = disposed && lent == 0;
            if (slot is not null && !disposed)
            {
                idle.Push(slot);
                budget?.Take(IdleBytes);
                return true;
            }
        }
        if (isLast)
            image.Dispose();
        return false;
    }
}
