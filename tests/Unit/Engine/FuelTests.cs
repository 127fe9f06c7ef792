using Functions.PgSidecar.Sandbox.Compilation;
using Functions.PgSidecar.Sandbox.Runtime;
using static Functions.PgSidecar.Tests.Unit.Engine.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Engine;

/// <summary>Fuel counts instructions, the same ones everywhere: these numbers are a promise to whoever sets a limit.</summary>
public sealed unsafe class FuelTests
{
    private const long Plenty = 1_000_000;

    private static readonly CompilationOptions Counting = new() { CountFuel = true };

    [Fact]
    public void A_straight_line_costs_one_for_each_instruction_but_those_that_only_structure() =>
        AssertPrice(4, module => [0x02, 0x40, 0x01, .. Constant(1), .. Constant(2), 0x6A, 0x1A, 0x0B, 0x0B]); // block nop 1 2 add drop end

    [Fact]
    public void A_loop_pays_for_every_round() =>
        AssertPrice(1 + 1 + 10 * 5, module => [.. Constant(10), 0x21, 0, 0x03, 0x40, 0x20, 0, 0x41, 1, 0x6B, 0x22, 0, 0x0D, 0, 0x0B, 0x0B]);

    [Theory]
    [InlineData(1, 2 + 3)]
    [InlineData(0, 2 + 1)]
    public void A_branch_pays_for_the_way_it_takes(int condition, int price) => AssertPrice(
        price, module => [.. Constant(condition), 0x04, 0x40, .. Constant(1), 0x1A, 0x01, 0x0C, 0, 0x05, 0x0F, 0x0B, 0x0B]); // if 1 drop br else return end

    [Fact]
    public void A_comparison_that_becomes_part_of_a_branch_is_paid_for() =>
        AssertPrice(4, module => [0x02, 0x40, .. Constant(1), .. Constant(2), 0x48, 0x0D, 0, 0x00, 0x0B, 0x0B]); // 1 2 lt br_if

    [Fact]
    public void Calls_pay_from_one_purse() => AssertPrice(1 + 2 + 2 + 2 + 2, module =>
    {
        var callee = module.Function(0, 0, [.. Constant(1), 0x1A, 0x0B]);
        module.Table(1);
        module.Elements(0, callee);
        return [0x10, .. Unsigned(callee), .. Constant(0), 0x11, 0, 0, .. Constant(1), 0x1A, 0x0B];
    });

    [Fact]
    public void A_fill_pays_for_every_32_bytes() =>
        AssertPrice(4 + 1000 / 32, module => [.. Constant(0), .. Constant(1), .. Constant(1000), 0xFC, 11, 0, 0x0B]);

    [Fact]
    public void A_tail_call_hands_the_purse_on() => AssertPrice(1 + 3, module =>
    {
        var callee = module.Function(0, 0, [.. Constant(1), 0x1A, 0x0F, 0x0B]);
        return [0x12, .. Unsigned(callee), 0x0B];
    });

    [Fact]
    public void What_was_spent_before_a_trap_is_known() => GuestThread.Run(() =>
    {
        var image = Compile(module => [.. Constant(1), 0x1A, 0x00, 0x0B]); // 1 drop unreachable
        using var instance = image.Start(HostFunctions.None, 1);
        instance.Fuel = Plenty;
        Assert.Equal(TrapKind.Unreachable, Assert.Throws<WasmTrapException>(() => Run(image, instance)).Kind);
        Assert.Equal(Plenty - 3, instance.Fuel);
    });

    [Fact]
    public void An_instance_without_fuel_executes_nothing() => GuestThread.Run(() =>
    {
        var image = Compile(module => [.. Constant(8), .. Constant(1), 0x36, 2, 0, 0x0B]); // store
        using var instance = image.Start(HostFunctions.None, 1);
        Assert.Equal(TrapKind.OutOfFuel, Assert.Throws<WasmTrapException>(() => Run(image, instance)).Kind);
        Assert.Equal(0, instance.Slice(8, 1)[0]);
    });

    [Fact]
    public void A_pristine_instance_has_no_fuel_left_over() => GuestThread.Run(() =>
    {
        var image = Compile(module => [0x0B]);
        using var first = image.Start(HostFunctions.None, 1);
        first.Fuel = Plenty;
        using var snapshot = first.Snapshot();
        using var second = image.Instantiate(snapshot, 1);
        Assert.Equal(0, second.Fuel);
        second.Fuel = Plenty;
        second.Reset(snapshot);
        Assert.Equal(0, second.Fuel);
    });

    [Fact]
    public void Images_that_count_are_not_those_that_do_not()
    {
        var module = new ModuleAssembler();
        module.Export("run", module.Type([], []), 0, 0x0B);
        var bytes = module.Build();
        Assert.NotEqual(CompiledImage.Compile(("main", bytes)).EngineId, CompiledImage.Compile(Counting, ("main", bytes)).EngineId);
    }

    /// <summary>With exactly the price the run ends well and nothing is left; with one less it does not.</summary>
    private static void AssertPrice(long price, Func<ModuleAssembler, byte[]> body) => GuestThread.Run(() =>
    {
        var image = Compile(body);
        using var instance = image.Start(HostFunctions.None, 1);
        instance.Fuel = Plenty;
        Run(image, instance);
        Assert.Equal(price, Plenty - instance.Fuel);
        instance.Fuel = price;
        Run(image, instance);
        Assert.Equal(0, instance.Fuel);
        instance.Fuel = price - 1;
        Assert.Equal(TrapKind.OutOfFuel, Assert.Throws<WasmTrapException>(() => Run(image, instance)).Kind);
        Assert.Equal(0, instance.Fuel);
    });

    private static CompiledImage Compile(Func<ModuleAssembler, byte[]> body)
    {
        var module = new ModuleAssembler().Memory(1);
        var type = module.Type([], []);
        var code = body(module);
        module.Export("run", type, 1, code);
        return CompiledImage.Compile(Counting, ("main", module.Build()));
    }

    private static void Run(CompiledImage image, WasmInstance instance) =>
        ((delegate*<nint, void>)image.Function("run"))(instance.Context);
}
