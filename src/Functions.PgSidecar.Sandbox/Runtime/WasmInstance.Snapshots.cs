using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>Snapshots: taking one, beginning from one, returning to one.</summary>
public sealed unsafe partial class WasmInstance
{
    /// <summary>
    /// Above so many changed bytes, returning drops all pages and faults those needed in again: copying would cost more, and a pooled instance would
    /// keep that much memory.
    /// </summary>
    private const long MaximumCopiedBytes = 8 * 1024 * 1024;

    /// <summary>Maps a snapshot copy on write at the beginning of the reserved room.</summary>
    internal static WasmInstance FromSnapshot(InstanceSnapshot snapshot, int memoryLimitPages)
    {
        if (memoryLimitPages < snapshot.Pages)
            throw new WasmLinkException($"The snapshot has {snapshot.Pages} pages of memory; the limit is {memoryLimitPages}.");
        using var use = snapshot.Use();
        var instance = new WasmInstance(snapshot.Image, snapshot.Placement, memoryLimitPages, snapshot.Image.HasGuardPages);
        try
        {
            instance.MapSnapshot(snapshot);
            instance.WriteAddresses();
        }
        catch
        {
            instance.Dispose();
            throw;
        }

        return instance;
    }

    /// <summary>Freezes the present state. The instance must not be running.</summary>
    /// <exception cref="NotSupportedException">The group has more than one memory.</exception>
    public InstanceSnapshot Snapshot()
    {
        if (otherMemories.Count > 0)
            throw new NotSupportedException("A group with several memories cannot be snapshot.");
        return InstanceSnapshot.Of(image, this);
    }

    /// <summary>
    /// Returns this instance to the state of <paramref name="snapshot"/>, the one it was made from, by copying back only the pages it has changed.
    /// Whatever the guest did, the result is byte for byte a fresh instance; a pending interrupt is gone.
    /// </summary>
    /// <exception cref="ArgumentException">The instance was not made from this snapshot.</exception>
    public void Reset(InstanceSnapshot snapshot)
    {
        if (!ReferenceEquals(snapshot.Placement, placement) || snapshot.Pages > PagesInUse)
            throw new ArgumentException("The instance was not made from this snapshot.", nameof(snapshot));
        using var use = snapshot.Use();
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            var grown = placement.HeaderBytes + (long)PagesInUse * LinearMemory.PageBytes - snapshot.ByteLength;
            LinearMemory.Release(mapping + snapshot.ByteLength, grown);
            if (!DirtyPages.TryRestore(mapping, snapshot.Pristine, snapshot.ByteLength, MaximumCopiedBytes))
                MapSnapshot(snapshot);
            WriteAddresses();
            interruptReason = 0;
            MemoryLimitReached = false;
            HostState = null;
        }
    }

    private int PagesInUse => placement.Memories.Count == 0 ? 0 : PagesOf(placement.Memories[0]);

    private void MapSnapshot(InstanceSnapshot snapshot) =>
        Map(mapping, snapshot.ByteLength, ProtectReadWrite, MapPrivate | MapFixed | MapNoReserve, snapshot.File);

    /// <summary>Writes what a snapshot does not hold: where this mapping is.</summary>
    private void WriteAddresses()
    {
        ((GroupHeader*)mapping)->Instance = handle;
        foreach (var module in placement.Modules)
        {
            var context = ContextAt(module);
            context->Group = (GroupHeader*)mapping;
            if (module.Memory is not null)
                context->MemoryBase = mapping + placement.HeaderBytes;
        }

        foreach (var table in placement.Tables)
        {
            foreach (var sharer in table.Sharers)
                *(byte**)(mapping + sharer) = mapping + table.Offset;
        }
    }
}
