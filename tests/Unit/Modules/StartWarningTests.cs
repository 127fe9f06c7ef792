using System.Text.Json.Nodes;
using Functions.PgSidecar.Sandbox.Runs;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>
/// Random bytes and times that a module reads during its start are the same in every invocation, so deploying gives a warning.
/// </summary>
public sealed class StartWarningTests
{
    private static readonly byte[] Nothing = [0x01];
    private static readonly byte[] Random = [.. Constant(600), .. Constant(8), 0x10, 0, 0x1A];
    private static readonly byte[] Time = [.. Constant(0), 0x42, 0, .. Constant(600), 0x10, 1, 0x1A];
    private static readonly byte[] Elapsed = [.. Constant(1), 0x42, 0, .. Constant(600), 0x10, 1, 0x1A];

    [Fact]
    public async Task Random_bytes_and_clocks_read_during_start_give_warnings()
    {
        Assert.StartsWith("Random bytes (random_get)", Assert.Single(await WarningsAsync(Random, Nothing)), StringComparison.Ordinal);
        Assert.StartsWith("The time (clock_time_get)", Assert.Single(await WarningsAsync(Time, Nothing)), StringComparison.Ordinal);
        Assert.StartsWith("The monotonic clock", Assert.Single(await WarningsAsync(Elapsed, Nothing)), StringComparison.Ordinal);
        Assert.Equal(3, (await WarningsAsync([.. Random, .. Random, .. Time, .. Elapsed], Nothing)).Length);
    }

    [Fact]
    public async Task Random_bytes_and_clocks_read_during_a_call_give_no_warning()
    {
        Assert.Empty(await WarningsAsync(Nothing, [.. Random, .. Time]));
        Assert.Empty(await WarningsAsync(null, [.. Random, .. Time]));
    }

    /// <summary>Its state cannot be stored, so it starts in each invocation and reads new values.</summary>
    [Fact]
    public async Task Module_that_starts_in_each_run_gives_no_warning() =>
        Assert.Empty(await WarningsAsync([.. Random, .. Constant(0), .. Constant(1), 0x25, 0, 0x26, 0], Nothing, static assembler =>
            {
                assembler.Table(2);
                var number = assembler.Type([], [I32]);
                assembler.Elements(
                    0,
                    assembler.Function(number, 0, [.. Constant(1), 0x0B]),
                    assembler.Function(number, 0, [.. Constant(2), 0x0B])
                );
            }));

    private static async Task<string[]> WarningsAsync(byte[]? start, byte[] code, Action<ModuleAssembler>? more = null)
    {
        var assembler = new ModuleAssembler().Memory(1);
        assembler.Import("wasi_snapshot_preview1", "random_get", assembler.Type([I32, I32], [I32]));
        assembler.Import("wasi_snapshot_preview1", "clock_time_get", assembler.Type([I32, I64, I32], [I32]));
        more?.Invoke(assembler);
        if (start is not null)
            assembler.Start(assembler.Function(assembler.Type([], []), 0, [.. start, 0x0B]));
        assembler.Export("_start", assembler.Type([], []), 0, [.. code, 0x0B]);
        var (program, _, info) = await TestModule.Engine.CompileAsync("test", assembler.Build(), GuestLimits.Default);
        using (program)
        {
            Assert.Equal(RunOutcome.Succeeded, (await TestModule.RunAsync(program)).Result.Outcome);
            return JsonNode.Parse(info)!["warnings"] is JsonArray list ? [.. list.Select(static item => (string)item!)] : [];
        }
    }
}
