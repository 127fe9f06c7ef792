using System.Runtime.InteropServices;
using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// A file in memory and a view of it. A safe handle, so that whoever is reading it keeps it alive while somebody else disposes the snapshot.
/// </summary>
internal sealed unsafe class SnapshotMemory : SafeHandle
{
    private readonly long length;

    public SnapshotMemory(long length)
        : base(-1, ownsHandle: true)
    {
        this.length = length;
        File = CreateMemoryFile("pgfn-snapshot", length);
        try
        {
            SetHandle((nint)Map(null, length, ProtectReadWrite, MapShared, File));
        }
        catch
        {
            _ = NativeMethods.Close(File);
            throw;
        }
    }

    public override bool IsInvalid => handle == -1;

    /// <summary>The file's descriptor, for mapping it copy on write.</summary>
    public int File { get; }

    public byte* Address => (byte*)handle;

    public void MakeReadOnly()
    {
        if (Protect(handle, (nint)length, ProtectRead) != 0)
            throw new InvalidOperationException("The snapshot cannot be made read only.");
    }

    /// <summary>Keeps the memory from being freed until the result is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The snapshot is disposed.</exception>
    public Lease Use()
    {
        var taken = false;
        DangerousAddRef(ref taken);
        return new Lease(this);
    }

    protected override bool ReleaseHandle()
    {
        Unmap((byte*)handle, length);
        return NativeMethods.Close(File) == 0;
    }

    public readonly ref struct Lease(SnapshotMemory memory)
    {
        public void Dispose() => memory.DangerousRelease();
    }
}
