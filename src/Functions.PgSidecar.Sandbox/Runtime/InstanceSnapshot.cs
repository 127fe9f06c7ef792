namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// An instance's whole state at one moment, as a file in memory that instances map copy on write. Immutable and safe to share between
/// threads; dispose it when no more instances are to be made from it or reset to it: trying to then throws <see cref="ObjectDisposedException"/>.
/// </summary>
public sealed unsafe class InstanceSnapshot : IDisposable
{
    private readonly SnapshotMemory memory;

    private InstanceSnapshot(CompiledImage image, GroupPlacement placement, int pages)
    {
        Image = image;
        Placement = placement;
        Pages = pages;
        ByteLength = placement.HeaderBytes + (long)pages * LinearMemory.PageBytes;
        memory = new SnapshotMemory(ByteLength);
    }

    /// <summary>The snapshot's size in bytes: header and linear memory. Pages of zeros take no room.</summary>
    public long ByteLength { get; }

    internal CompiledImage Image { get; }

    internal GroupPlacement Placement { get; }

    /// <summary>Linear memory's size in WebAssembly pages.</summary>
    internal int Pages { get; }

    /// <summary>The file to map, while <see cref="Use"/> holds it.</summary>
    internal int File => memory.File;

    /// <summary>The snapshot's bytes, read only, for copying back single pages, while <see cref="Use"/> holds them.</summary>
    internal byte* Pristine => memory.Address;

    /// <summary>Writes the snapshot in a form that another process with the same <see cref="CompiledImage.EngineId"/> can read.</summary>
    public void WriteTo(Stream destination)
    {
        using var use = Use();
        SnapshotFile.Write(this, destination);
    }

    public void Dispose() => memory.Dispose();

    /// <summary>Keeps the bytes from being freed until the result is disposed.</summary>
    internal SnapshotMemory.Lease Use() => memory.Use();

    /// <summary>Copies an instance's mapping, without what belongs to that instance alone.</summary>
    internal static InstanceSnapshot Of(CompiledImage image, WasmInstance instance)
    {
        var placement = instance.Placement;
        placement.IsFrozen = true;
        var pages = placement.Memories.Count == 0 ? 0 : instance.PagesOf(placement.Memories[0]);
        return Create(image, placement, pages, snapshot =>
        {
            for (var offset = 0L; offset < snapshot.ByteLength; offset += NativeMethods.PageBytes)
            {
                // Pages of zeros stay holes of the file.
                var page = new ReadOnlySpan<byte>(instance.Mapping + offset, NativeMethods.PageBytes);
                if (page.ContainsAnyExcept((byte)0))
                    page.CopyTo(new Span<byte>(snapshot.Pristine + offset, NativeMethods.PageBytes));
            }
        });
    }

    /// <summary>Makes a snapshot whose bytes the given action writes.</summary>
    internal static InstanceSnapshot Create(CompiledImage image, GroupPlacement placement, int pages, Action<InstanceSnapshot> fill)
    {
        var snapshot = new InstanceSnapshot(image, placement, pages);
        try
        {
            fill(snapshot);
            snapshot.Scrub();
            snapshot.memory.MakeReadOnly();
            return snapshot;
        }
        catch
        {
            snapshot.Dispose();
            throw;
        }
    }

    /// <summary>Removes addresses, interrupts and the leftovers of returned results: two snapshots of equal states are equal.</summary>
    private void Scrub()
    {
        new Span<byte>(Pristine, GroupHeader.Size).Clear();
        foreach (var module in Placement.Modules)
        {
            var context = (ModuleContext*)(Pristine + module.ContextOffset);
            context->MemoryBase = null;
            context->Group = null;
            context->Interrupt = 0;
            // An instance that nobody arms traps at its first check instead of running without a limit.
            context->StackLimit = nint.MaxValue;
        }

        foreach (var table in Placement.Tables)
        {
            foreach (var sharer in table.Sharers)
                *(nint*)(Pristine + sharer) = 0;
        }
    }
}
