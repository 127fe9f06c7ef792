using System.ComponentModel;
using System.Runtime.InteropServices;
using static Functions.PgSidecar.Sandbox.Wasmtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// The bytes of a snapshot: a file in memory that instances map, or on other systems plain memory that instances copy. A safe handle, so
/// that a reader keeps it alive while another thread disposes the snapshot.
/// </summary>
internal sealed unsafe class SnapshotMemory : SafeHandle
{
    /// <summary>The switch of <see cref="AppContext"/> by which tests have snapshots copied instead of mapped.</summary>
    public const string CopySwitch = "Functions.PgSidecar.CopySnapshots";

    private const int NoFile = -1;

    private readonly long length;

    public SnapshotMemory(long length)
        : base(-1, ownsHandle: true)
    {
        this.length = length;
        File = NoFile;
        if (AreMapped)
            MapFile();
        else
            Allocate();
    }

    /// <summary>
    /// Whether instances map snapshots copy-on-write, and the kernel reports which pages they have written to: on Linux with pages of 4 KB.
    /// Elsewhere instances start with a copy, and the pages that differ afterwards are copied again.
    /// </summary>
    public static bool AreMapped { get; } =
        OperatingSystem.IsLinux()
        && Environment.SystemPageSize == PageBytes
        && !(AppContext.TryGetSwitch(CopySwitch, out var copied) && copied);

    public override bool IsInvalid => handle == -1;

    /// <summary>The file's descriptor, for mapping it copy-on-write; -1 if snapshots are copied.</summary>
    public int File { get; private set; }

    public byte* Address => (byte*)handle;

    public void MakeReadOnly()
    {
        if (!LinearMemory.TryProtect(Address, length))
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
        LinearMemory.Free((byte*)handle, length);
        return File == NoFile || NativeMethods.Close(File) == 0;
    }

    private void MapFile()
    {
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

    private void Allocate()
    {
        var address = LinearMemory.TryReserve(length);
        if (address == null)
            throw new Win32Exception("The system has no memory left for a snapshot.");
        SetHandle((nint)address);
        if (LinearMemory.TryCommit(address, length))
            return;
        Dispose();
        throw new Win32Exception("The system has no memory left for a snapshot.");
    }

    public readonly ref struct Lease(SnapshotMemory memory)
    {
        public void Dispose() => memory.DangerousRelease();
    }
}
