using System.Runtime.InteropServices;

namespace Functions.PgSidecar.Sandbox.Runtime;

/// <summary>
/// The fixed part of a module's context: what compiled code reads while it runs. Every module of a group has its own copy of the memory's and
/// tables' whereabouts, so that an access costs one load; <c>grow</c> updates all that share it. <see cref="ModuleLayout"/> tells what follows.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ModuleContext
{
    public const int MemoryBaseOffset = 0;
    public const int LimitOffset = 8;
    public const int TableOffset = 48;
    public const int TableLengthOffset = 56;
    public const int InterruptOffset = 60;
    public const int StackLimitOffset = 64;
    public const int GroupOffset = 72;
    public const int MemoryPagesOffset = 80;
    public const int Size = 96;

    public byte* MemoryBase;

    /// <summary>
    /// First addresses at which an access of 1, 2, 4, 8 and 16 bytes no longer fits: one comparison checks an access. Addresses are compared as 64-bit
    /// sums of base and offset, so nothing wraps.
    /// </summary>
    public fixed ulong Limits[5];

    public FunctionReference* Table;
    public uint TableLength;

    /// <summary>Not 0: stop at the next check. Written by other threads.</summary>
    public int Interrupt;

    /// <summary>The lowest address the native stack may reach; the highest possible one once interrupted, so that entry checks see it too.</summary>
    public nint StackLimit;

    public GroupHeader* Group;
    public int MemoryPages;

    /// <summary>Which module of the group this is, in the order of instantiation.</summary>
    public int Ordinal;

    /// <summary>The offset of the limit for accesses of so many bytes.</summary>
    public static int LimitFor(int bytes) => LimitOffset + sizeof(ulong) * System.Numerics.BitOperations.Log2((uint)bytes);

    public void SetMemory(byte* memory, int pages)
    {
        MemoryBase = memory;
        MemoryPages = pages;
        var length = (ulong)pages * LinearMemory.PageBytes;
        for (var log = 0; log < 5; log++)
            Limits[log] = length == 0 ? 0 : length - (1ul << log) + 1;
    }
}

/// <summary>The beginning of an instance's mapping.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct GroupHeader
{
    public const int FuelOffset = 8;

    /// <summary>Where results after the first travel: 16 bytes each.</summary>
    public const int ResultsOffset = 64;

    public const int Size = ResultsOffset + Wasm.WasmLimits.Results * 16;

    /// <summary>A GC handle of the <see cref="WasmInstance"/>.</summary>
    public nint Instance;

    /// <summary>What is left of the instance's fuel; negative when a run could not be paid for.</summary>
    public long Fuel;
}
