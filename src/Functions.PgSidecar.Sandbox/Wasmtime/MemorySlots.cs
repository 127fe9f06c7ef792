using Functions.PgSidecar.Sandbox.Runs;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// A pool of memories that start with the same image. After use, a memory is restored to the image and kept for the next instance, which
/// then causes fewer page faults.
/// </summary>
/// <param name="image">Their initial contents; freed with the slots.</param>
internal sealed class MemorySlots(MemoryImage image) : IIdleMemory, IDisposable
{
    /// <summary>The most idle memories that are kept.</summary>
    private const int MaxIdle = 256;

    /// <summary>
    /// With more changed bytes than this the image is mapped again: copying would cost more, and the idle slot would keep that much memory.
    /// </summary>
    private const long MaximumCopiedBytes = 8 * 1024 * 1024;

    /// <summary>The most bytes that an idle memory counts in the budget: about the private pages that it keeps.</summary>
    private const long MostIdleBytes = 512 * 1024;

    private readonly long idleBytes = image.IsMapped ? Math.Min(MostIdleBytes, image.ByteLength) : image.ByteLength;
    private readonly Lock gate = new();
    private readonly Stack<MemorySlot> idle = new();
    private int leastIdle;
    private int lent;
    private bool disposed;
    private MemoryBudget? budget;

    /// <summary>Their initial contents.</summary>
    public MemoryImage Image => image;

    /// <summary>Counts idle memories in a budget, and frees them when memory is short.</summary>
    public void ShareWith(MemoryBudget all)
    {
        lock (gate)
        {
            budget = all;
            all.Take(idle.Count * idleBytes);
        }
        all.Register(this);
    }

    /// <inheritdoc/>
    public void DropIdle()
    {
        lock (gate)
            leastIdle = idle.Count;
        Trim();
    }

    /// <summary>Takes a memory with the contents of the image.</summary>
    /// <param name="capacity">The address space that it needs; the same at every call.</param>
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
            budget?.Return(idleBytes);
            slot.BeginUse();
            return slot;
        }
        try
        {
            slot = MemorySlot.Reserve(capacity);
            slot.Map(image);
            slot.BeginUse();
            return slot;
        }
        catch
        {
            slot?.Free();
            GiveBack(null);
            throw;
        }
    }

    /// <summary>Returns a memory that no store uses any more.</summary>
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

    /// <summary>Frees the idle memories that no instance has needed since the last call.</summary>
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
        budget?.Return(surplus.Count * idleBytes);
    }

    /// <summary>Frees the image as soon as all taken memories have been returned. No others can be taken.</summary>
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
            budget?.Return(idle.Count * idleBytes);
            while (idle.TryPop(out var slot))
                slot.Free();
        }
        budget?.Unregister(this);
        if (isLast)
            image.Dispose();
    }

    /// <summary>Ends the use of a memory, and keeps it if the slots are not disposed.</summary>
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
                budget?.Take(idleBytes);
                return true;
            }
        }
        if (isLast)
            image.Dispose();
        return false;
    }
}
