using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Threads;
using Functions.PgSidecar.Sandbox.Wasmtime;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>
/// Wasmtime and .NET both handle SIGSEGV. Faults of guests, null references of the host on a guest's stack, exhausted stacks and
/// collections, all at once on
/// several threads, must each reach the right handler. Runs for seconds; <c>make fuzz</c> runs longer (PGFN_STORM_SECONDS).
/// </summary>
public sealed class TrapStormTests
{
    private const int Threads = 4;

    private static readonly HostFunctionTable Functions = new(typeof(StormHost));

    private static long nullReferences;

    [Fact]
    public void Concurrent_faults_null_references_stack_exhaustion_and_collections_are_handled()
    {
        var seconds = double.Parse(Environment.GetEnvironmentVariable("PGFN_STORM_SECONDS") ?? "2", CultureInfo.InvariantCulture);
        var compiled = ModuleCompilation.Compile(StormModule(), null, countFuel: false, Functions);
        using var module = Module.Load(Engines.Of(countFuel: false), compiled.Code, Functions);
        using var state = ModuleState.Initial(compiled, 1 << 20, startsEachTime: false);
        var problems = new List<string>();
        var clock = Stopwatch.StartNew();
        var rounds = 0;
        var threads = Enumerable
            .Range(0, Threads)
            .Select(_ => new Thread(
                () =>
                {
                    try
                    {
                        while (clock.Elapsed.TotalSeconds < seconds)
                        {
                            Round(module, state, compiled.Plan);
                            Interlocked.Increment(ref rounds);
                        }
                    }
                    catch (Exception e)
                    {
                        lock (problems)
                            problems.Add(e.ToString());
                    }
                },
                SandboxThread.StackBytes
            ))
            .ToList();
        threads.ForEach(static thread => thread.Start());
        while (clock.Elapsed.TotalSeconds < seconds)
            GC.Collect(1);
        threads.ForEach(static thread => thread.Join());
        Assert.Empty(problems);
        Assert.True(rounds > 0);
        Assert.Equal(20L * rounds, Interlocked.Read(ref nullReferences));
    }

    private static void Round(Module module, ModuleState state, ModulePlan plan)
    {
        using var instance = state.Instantiate(module, plan, 1 << 20);
        for (var time = 0; time < 20; time++)
        {
            Assert.Equal(TrapKind.OutOfBoundsMemory, Trap(instance, "outside"));
            Assert.Equal(TrapKind.IntegerDivideByZero, Trap(instance, "divide"));
            Assert.Null(Trap(instance, "host"));
            Assert.Throws<TimeZoneNotFoundException>(() => Trap(instance, "throws"));
            Assert.Throws<NullReferenceException>(() => Dereference(null));
        }
        Assert.Equal(TrapKind.StackOverflow, Trap(instance, "recurse"));
        // The host has enough stack at the deepest point.
        Assert.Equal(TrapKind.StackOverflow, Trap(instance, "recurseAndCall"));
    }

    private static TrapKind? Trap(Instance instance, string function)
    {
        try
        {
            instance.Call(instance.Function(function), new RawValue[1]);
            return null;
        }
        catch (WasmTrapException trap)
        {
            return trap.Kind;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Dereference(object? value) => value!.GetHashCode();

    private static byte[] StormModule()
    {
        var assembler = new ModuleAssembler();
        var type = assembler.Type([], []);
        var host = assembler.Import("storm", "null_reference", type);
        var throws = assembler.Import("storm", "throws", type);
        var nothing = assembler.Import("storm", "nothing", type);
        assembler.Memory(1);
        assembler.Export("_start", type, 0, 0x0B);
        assembler.Export("outside", type, 0, [.. Constant(int.MaxValue), 0x28, 2, 0, 0x1A, 0x0B]);
        assembler.Export("divide", type, 0, [.. Constant(1), .. Constant(0), 0x6D, 0x1A, 0x0B]);
        assembler.Export("host", type, 0, 0x10, (byte)host, 0x0B);
        assembler.Export("throws", type, 0, 0x10, (byte)throws, 0x0B);
        assembler.Export("recurse", type, 0, 0x10, 8, 0x0B);
        assembler.Export("recurseAndCall", type, 0, 0x10, (byte)nothing, 0x10, 9, 0x0B);
        return assembler.Build();
    }

    private static class StormHost
    {
        [HostFunction("storm", "null_reference")]
        private static void NullReference(Instance instance)
        {
            try
            {
                Dereference(null);
            }
            catch (NullReferenceException)
            {
                Interlocked.Increment(ref nullReferences);
            }
        }

        [HostFunction("storm", "throws")]
        private static void Throws(Instance instance) => throw new TimeZoneNotFoundException();

        [HostFunction("storm", "nothing")]
        private static void Nothing(Instance instance) => _ = instance.MemoryLength;
    }
}
