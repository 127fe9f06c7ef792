using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Every instruction that reads or writes memory, around the end of memory and of what 32 bits and the guard reach, in all ways to compile it.</summary>
public sealed unsafe class MemoryEdgeTests
{
    private const long MemoryBytes = 2 * 65536;
    private const byte Drop = 0x1A, End = 0x0B;

    private static readonly long[] Offsets =
    [
        0, 1, 65_536, MemoryBytes - 1, GuardedSpace.GuardBytes - 16, GuardedSpace.GuardBytes - 8, GuardedSpace.GuardBytes - 1, GuardedSpace.GuardBytes, 1L << 31, uint.MaxValue,
    ];

    private static readonly long[] Addresses =
    [
        0, 65_535, .. Enumerable.Range(-17, 19).Select(step => MemoryBytes + step), 1L << 31, uint.MaxValue - 16, uint.MaxValue - 1, uint.MaxValue,
    ];

    /// <summary>How many bytes each instruction touches, its opcode, and what follows its immediates and what it takes besides an address.</summary>
    private static readonly (int Bytes, byte[] Opcode, byte[] Lane, byte[] Value)[] Accesses =
    [
        .. Loads(4, 0x28, 0x2A, 0x34, 0x35), .. Loads(8, 0x29, 0x2B), .. Loads(1, 0x2C, 0x2D, 0x30, 0x31), .. Loads(2, 0x2E, 0x2F, 0x32, 0x33),
        .. Stores([.. Constant(0)], (0x36, 4), (0x3A, 1), (0x3B, 2)),
        .. Stores([0x42, 0], (0x37, 8), (0x3C, 1), (0x3D, 2), (0x3E, 4)),
        .. Stores([0x43, 0, 0, 0, 0], (0x38, 4)), .. Stores([0x44, 0, 0, 0, 0, 0, 0, 0, 0], (0x39, 8)),
        .. VectorLoads((0, 16), (1, 8), (2, 8), (3, 8), (4, 8), (5, 8), (6, 8), (7, 1), (8, 2), (9, 4), (10, 8), (0x5C, 4), (0x5D, 8)),
        (16, [0xFD, 0x0B], [], Zeros),
        .. Lanes((0x54, 1), (0x55, 2), (0x56, 4), (0x57, 8), (0x58, 1), (0x59, 2), (0x5A, 4), (0x5B, 8)),
    ];

    private static byte[] Zeros => [0xFD, 0x0C, .. new byte[16]];

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void An_access_traps_exactly_where_a_byte_of_it_is_outside_memory(bool guardPages, bool optimize)
    {
        Assert.SkipWhen(guardPages && !CompilationOptions.GuardPagesAreAvailable, "This machine has no guard pages.");
        var module = new ModuleAssembler().Memory(2);
        var type = module.Type([I32], []);
        foreach (var (access, offset) in Cases())
            module.Export(NameOf(access, offset), type, 0, Body(access, offset));
        var image = CompiledImage.Compile(
            new CompilationOptions { GuardPages = guardPages, OptimizeAtFirstCall = optimize }, ("main", module.Build()));
        GuestThread.Run(() =>
        {
            using var instance = image.Start(HostFunctions.None, memoryLimitPages: 16);
            foreach (var (access, offset) in Cases())
            {
                var function = (delegate*<int, nint, void>)image.Function(NameOf(access, offset));
                foreach (var address in Addresses)
                    AssertOutcome(address + offset + access.Bytes, NameOf(access, offset), address, () => function((int)(uint)address, instance.Context));
            }
        });
    }

    private static void AssertOutcome(long end, string name, long address, Action access)
    {
        var trapped = false;
        try
        {
            access();
        }
        catch (WasmTrapException trap) when (trap.Kind == TrapKind.OutOfBoundsMemory)
        {
            trapped = true;
        }

        Assert.True(trapped == end > MemoryBytes, $"{name} at {address}: {(trapped ? "trapped" : "did not trap")}");
    }

    private static IEnumerable<((int Bytes, byte[] Opcode, byte[] Lane, byte[] Value) Access, long Offset)> Cases() =>
        from access in Accesses from offset in Offsets select (access, offset);

    private static string NameOf((int Bytes, byte[] Opcode, byte[] Lane, byte[] Value) access, long offset) => $"{Convert.ToHexString(access.Opcode)} {offset}";

    /// <summary>Loads are dropped: that they are not needed must not matter.</summary>
    private static byte[] Body((int Bytes, byte[] Opcode, byte[] Lane, byte[] Value) access, long offset)
    {
        byte[] call = [0x20, 0, .. access.Value, .. access.Opcode, 0, .. Unsigned(offset), .. access.Lane];
        var isStore = access.Opcode is [>= 0x36 and <= 0x3E] or [0xFD, 0x0B] or [0xFD, >= 0x58 and <= 0x5B];
        return isStore ? [.. call, End] : [.. call, Drop, End];
    }

    private static IEnumerable<(int, byte[], byte[], byte[])> Loads(int bytes, params byte[] opcodes) =>
        opcodes.Select(opcode => (bytes, new[] { opcode }, Array.Empty<byte>(), Array.Empty<byte>()));

    private static IEnumerable<(int, byte[], byte[], byte[])> Stores(byte[] value, params (byte Opcode, int Bytes)[] stores) =>
        stores.Select(store => (store.Bytes, new[] { store.Opcode }, Array.Empty<byte>(), value));

    private static IEnumerable<(int, byte[], byte[], byte[])> VectorLoads(params (byte Opcode, int Bytes)[] loads) =>
        loads.Select(load => (load.Bytes, new byte[] { 0xFD, load.Opcode }, Array.Empty<byte>(), Array.Empty<byte>()));

    private static IEnumerable<(int, byte[], byte[], byte[])> Lanes(params (byte Opcode, int Bytes)[] accesses) =>
        accesses.Select(access => (access.Bytes, new byte[] { 0xFD, access.Opcode }, new byte[] { 0 }, Zeros));
}
