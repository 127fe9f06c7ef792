using System.Runtime.InteropServices;
using static Functions.PgSidecar.Sandbox.Runtime.NativeMethods;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// Address space for instances whose code does not compare addresses: every address that such code can form lies in its instance's own room, and what is not
/// memory there is not accessible. The processor finds the access outside, and the runtime makes a <see cref="NullReferenceException"/> of it, which
/// <see cref="CompiledCode.TrapFault"/> turns into a trap.
/// </summary>
/// <remarks>
/// The runtime takes a fault of managed code below 64 KiB for a null reference, and one anywhere else for the end of the process. So a signal handler stands
/// in front of its own: it tells the runtime that faults in this space happened at address 0, and has no other task.
/// See docs/decisions/0009-guard-pages.md.
/// </remarks>
internal static unsafe class GuardedSpace
{
    /// <summary>Room of an instance before its linear memory: contexts and tables.</summary>
    public const long HeaderBytes = 960L << 20;

    /// <summary>
    /// Room behind the 4 GiB that a 32-bit address reaches: an access at a constant offset of less, all of its bytes included, needs no check.
    /// </summary>
    public const long GuardBytes = 64L << 20;

    private const long RoomBytes = HeaderBytes + AddressableBytes + GuardBytes;
    private const long AddressableBytes = 4L << 30;

    /// <summary>Half of what the processor's 47 bits address.</summary>
    private const int Rooms = (int)((64L << 40) / RoomBytes);

    /// <summary>When fewer are left, none is kept for idle instances.</summary>
    private const int Reserve = Compilation.CompilationOptions.GuardedInstances;

    private static readonly Lock Gate = new();

    /// <summary>Rooms that have been used and given back: their page tables are likely to be still there.</summary>
    private static readonly Stack<nint> Free = new();

    private static readonly nint Space = Open();
    private static long opened;
    private static int inUse;

    /// <summary>Whether this process can have such instances: on Linux, on x86-64 processors, where so much address space may be reserved.</summary>
    public static bool IsAvailable => Space != 0;

    /// <summary>Whether rooms are needed for instances that run, so that idle ones should be given back.</summary>
    public static bool IsScarce => Space != 0 && Volatile.Read(ref inUse) > Rooms - Reserve;

    /// <summary>A room: nothing in it is accessible yet.</summary>
    /// <exception cref="WasmLinkException">There is none left.</exception>
    public static byte* Take()
    {
        lock (Gate)
        {
            if (Space == 0 || inUse == Rooms)
                throw new WasmLinkException($"There is no address space with guard pages for another instance; {inUse:N0} are in use.");
            inUse++;
            return Free.TryPop(out var room) ? (byte*)room : (byte*)Space + opened++ * RoomBytes;
        }
    }

    /// <summary>Gives a room back, of which no more than its first bytes have been made accessible.</summary>
    public static void Return(byte* room, long usedBytes)
    {
        LinearMemory.Release(room, usedBytes);
        lock (Gate)
        {
            Free.Push((nint)room);
            inUse--;
        }
    }

    private static nint Open()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return 0;
        var space = TryMap(Rooms * RoomBytes, ProtectNone);
        if (space == 0 || FaultHandler.TryInstall(space, Rooms * RoomBytes))
            return space;
        Unmap((byte*)space, Rooms * RoomBytes);
        return 0;
    }
}
