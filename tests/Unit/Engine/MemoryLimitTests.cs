using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Memory ends exactly where it is said to end.</summary>
public abstract unsafe class MemoryLimitTests
{
    private const int PageBytes = 65536;

    private static readonly Lazy<CompiledImage> Comparing = new(() => Compile(guardPages: false));
    private static readonly Lazy<CompiledImage> Guarded = new(() => Compile(guardPages: true));

    private readonly CompiledImage image;

    protected MemoryLimitTests(bool guardPages)
    {
        Assert.SkipWhen(guardPages && !CompilationOptions.GuardPagesAreAvailable, "This machine has no guard pages.");
        image = guardPages ? Guarded.Value : Comparing.Value;
    }

    [Fact]
    public void Memory_grows_to_its_limit_and_not_one_page_further() => GuestThread.Run(() =>
    {
        using var instance = image.Start(HostFunctions.None, memoryLimitPages: 5);
        Assert.Equal(2, Grow(instance, 2));
        Assert.False(instance.MemoryLimitReached);
        Assert.Equal(-1, Grow(instance, 2));
        Assert.True(instance.MemoryLimitReached);
        Assert.Equal(4, Grow(instance, 1));
        Assert.Equal(-1, Grow(instance, 1));
        Assert.Equal(5L * PageBytes, instance.MemoryLength);
        Assert.Equal(5L * PageBytes, instance.MemoryPeakBytes);
    });

    [Fact]
    public void The_module_s_own_maximum_is_not_the_host_s_limit() => GuestThread.Run(() =>
    {
        using var instance = image.Start(HostFunctions.None, memoryLimitPages: 1000);
        Assert.Equal(-1, Grow(instance, 99));
        Assert.False(instance.MemoryLimitReached);
    });

    [Theory]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    [InlineData(65535)]
    public void Absurd_growth_is_refused(int pages) => GuestThread.Run(() =>
    {
        using var instance = image.Start(HostFunctions.None, memoryLimitPages: 10);
        Assert.Equal(-1, Grow(instance, pages));
        Assert.Equal(2L * PageBytes, instance.MemoryLength);
    });

    [Fact]
    public void Grown_memory_is_zero_and_accessible_to_its_last_byte() => GuestThread.Run(() =>
    {
        using var instance = image.Start(HostFunctions.None, memoryLimitPages: 4);
        Grow(instance, 2);
        Assert.False(instance.Slice(2 * PageBytes, 2 * PageBytes).ContainsAnyExcept((byte)0));
        Store(instance, 4 * PageBytes - 4, 42);
        Assert.Equal(42, Load(instance, 4 * PageBytes - 4));
        Assert.Equal(TrapKind.OutOfBoundsMemory, Assert.Throws<WasmTrapException>(() => Load(instance, 4 * PageBytes - 3)).Kind);
    });

    [Theory]
    [InlineData(2 * PageBytes - 3)]
    [InlineData(2 * PageBytes)]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    [InlineData(-4)]
    public void An_access_outside_memory_traps_and_changes_nothing(int address) => GuestThread.Run(() =>
    {
        using var instance = image.Start(HostFunctions.None, memoryLimitPages: 4);
        Assert.Equal(TrapKind.OutOfBoundsMemory, Assert.Throws<WasmTrapException>(() => Load(instance, address)).Kind);
        Assert.Equal(TrapKind.OutOfBoundsMemory, Assert.Throws<WasmTrapException>(() => Store(instance, address, -1)).Kind);
        Assert.False(instance.Slice(0, 2 * PageBytes).ContainsAnyExcept((byte)0));
    });

    [Theory]
    [InlineData(0, 2 * PageBytes + 1)]
    [InlineData(-1, 1)]
    [InlineData(-1, 2)]
    [InlineData(2 * PageBytes, 1)]
    [InlineData(0, -1)]
    [InlineData(int.MinValue, int.MinValue)]
    public void The_host_s_window_cannot_leave_memory(int address, int length) => GuestThread.Run(() =>
    {
        using var instance = image.Start(HostFunctions.None, memoryLimitPages: 4);
        Assert.Throws<WasmTrapException>(() => instance.Slice(address, length).Length);
    });

    [Fact]
    public void A_limit_below_what_the_module_starts_with_is_refused() =>
        GuestThread.Run(() => Assert.Throws<WasmLinkException>(() => image.Start(HostFunctions.None, memoryLimitPages: 1)));

    private static CompiledImage Compile(bool guardPages)
    {
        var module = new ModuleAssembler().Memory(2, 100);
        var unary = module.Type([I32], [I32]);
        module.Export("grow", unary, 0, 0x20, 0, 0x40, 0, 0x0B);
        module.Export("load", unary, 0, 0x20, 0, 0x28, 2, 0, 0x0B);
        module.Export("store", module.Type([I32, I32], []), 0, 0x20, 0, 0x20, 1, 0x36, 2, 0, 0x0B);
        return CompiledImage.Compile(new CompilationOptions { GuardPages = guardPages }, ("main", module.Build()));
    }

    private int Grow(WasmInstance instance, int pages) => ((delegate*<int, nint, int>)image.Function("grow"))(pages, instance.Context);

    private int Load(WasmInstance instance, int address) => ((delegate*<int, nint, int>)image.Function("load"))(address, instance.Context);

    private void Store(WasmInstance instance, int address, int value) =>
        ((delegate*<int, int, nint, void>)image.Function("store"))(address, value, instance.Context);
}

/// <summary>The same where code compares addresses.</summary>
public sealed class ComparedMemoryLimitTests() : MemoryLimitTests(guardPages: false);

/// <summary>The same where pages guard memory.</summary>
public sealed class GuardedMemoryLimitTests() : MemoryLimitTests(guardPages: true);
