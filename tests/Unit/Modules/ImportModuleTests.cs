using System.Text;
using Functions.PgSidecar.Sandbox.Modules;
using Functions.PgSidecar.Sandbox.Modules.Compilation;
using Functions.PgSidecar.Sandbox.Modules.Wasi;
using Functions.PgSidecar.Sandbox.Runs;
using Functions.PgSidecar.Sandbox.Wasmtime;
using static Functions.PgSidecar.Tests.Unit.Modules.ModuleAssembler;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Import modules of the host: what reaches a handler, and what it can answer. The module calls through Wasmtime.</summary>
public sealed class ImportModuleTests
{
    private const int PageBytes = 65_536;

    private static readonly List<string> Calls = [];

    private static readonly HostFunctionTable Functions = ModuleFunctions.With(
        new ImportModule("host", [new ModuleImport("join", 2, Join), new ModuleImport("count", 0, Count)])
    );

    [Fact]
    public void A_handler_gets_buffers_and_its_result_and_body_are_kept_for_the_module() =>
        Run(instance =>
        {
            Encoding.UTF8.GetBytes("ab", instance.Slice(100, 2));
            instance.Slice(PageBytes - 1, 1)[0] = 7;
            Assert.Equal((int)CallStatus.Ok, Call(instance, 100, 2, PageBytes - 1, 1));
            var process = WasiProcess.Of(instance);
            Assert.Equal("ab07", Encoding.UTF8.GetString(process.Result.Span));
            Assert.Equal([7], process.Body.ToArray());
        });

    [Fact]
    public void A_handler_gets_copies_that_the_module_can_not_change() =>
        Run(instance =>
        {
            instance.Slice(200, 1)[0] = 1;
            Call(instance, 0, 0, 200, 1);
            instance.Slice(200, 1)[0] = 2;
            Assert.Equal([1], WasiProcess.Of(instance).Body.ToArray());
        });

    [Theory]
    [InlineData(PageBytes, 1, 0, 0)]
    [InlineData(0, 0, PageBytes - 1, 2)]
    [InlineData(PageBytes + 1, 0, 0, 0)]
    [InlineData(-1, 2, 0, 0)]
    [InlineData(0, 0, -1, 1)]
    public void A_buffer_outside_memory_faults_before_the_handler(int first, int firstLength, int second, int secondLength) =>
        Run(instance =>
        {
            Assert.Equal((int)CallStatus.Fault, Call(instance, first, firstLength, second, secondLength));
            Assert.Empty(Calls);
            Assert.Equal(0, WasiProcess.Of(instance).Result.Length);
        });

    [Theory]
    [InlineData((16 << 20) + 1, 0)]
    [InlineData(16 << 20, 1)]
    [InlineData(-1, 0)]
    [InlineData(-1, -1)]
    public void Buffers_that_are_too_long_together_fail_before_the_handler(int firstLength, int secondLength) =>
        Run(instance =>
        {
            Assert.Equal((int)CallStatus.Failed, Call(instance, 0, firstLength, 0, secondLength));
            Assert.Empty(Calls);
            var error = Encoding.UTF8.GetString(WasiProcess.Of(instance).Result.Span);
            Assert.Equal("""{"name":"RangeError","message":"The arguments of a call may have 16 MB.","code":"PGFN5400"}""", error);
        });

    [Fact]
    public void A_call_drops_the_result_of_the_call_before() =>
        Run(instance =>
        {
            Call(instance, 0, 1, 0, 1);
            Assert.Equal((int)CallStatus.Fault, Call(instance, -1, 1, 0, 0));
            Assert.Equal((0, 0), (WasiProcess.Of(instance).Result.Length, WasiProcess.Of(instance).Body.Length));
        });

    [Fact]
    public void State_is_kept_between_the_calls_of_a_run_and_gone_in_the_next()
    {
        for (var run = 0; run < 2; run++)
        {
            Run(static instance =>
            {
                // The second call fails with an error of the handler.
                Assert.Equal((int)CallStatus.Ok, CallCount(instance));
                Assert.Equal((int)CallStatus.Failed, CallCount(instance));
                var error = Encoding.UTF8.GetString(WasiProcess.Of(instance).Result.Span);
                Assert.Equal("""{"name":"Error","message":"Called before.","code":"PGFN5400"}""", error);
            });
        }
    }

    [Fact]
    public void Every_import_module_reads_variables_and_results()
    {
        foreach (var name in new[] { "env", "log", "result_len", "result_read", "body_len", "body_read" })
            Assert.Same(Functions.Functions[("pgfn", name)], Functions.Functions[("host", name)]);
        Assert.Null(Functions.TypeOf("host", "call"));
    }

    [Fact]
    public void Functions_have_the_type_of_their_buffers_and_other_names_can_not_be_imported()
    {
        Assert.Equal("iiii:i", Functions.TypeOf("host", "join"));
        Assert.Equal(":i", Functions.TypeOf("host", "count"));
        var assembler = new ModuleAssembler();
        assembler.Import("host", "join", assembler.Type([I32], [I32]));
        var module = TestModule.WithStart(assembler);
        var error = Assert.Throws<ModuleException>(() => ModuleCompilation.Compile(module, null, countFuel: false, Functions));
        Assert.Contains("host.join as", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<ModuleException>(() => ModuleCompilation.Compile(module, null, countFuel: false, TestModule.Functions));
        Assert.Contains("host.join, which does not exist", error.Message, StringComparison.Ordinal);
    }

    private static CallStatus Join(in ImportCall call)
    {
        var (text, bytes) = (call.Text(0), call.Bytes(1));
        Calls.Add(text);
        return call.Succeed(Encoding.UTF8.GetBytes(text + Convert.ToHexString(bytes)), bytes);
    }

    private static CallStatus Count(in ImportCall call)
    {
        if (call.State is not null)
            return call.Fail("Error", "Called before.");
        call.State = "called";
        return call.Succeed();
    }

    private static int Call(Instance instance, int first, int firstLength, int second, int secondLength)
    {
        var values = new RawValue[4];
        (values[0].I32, values[1].I32, values[2].I32, values[3].I32) = (first, firstLength, second, secondLength);
        instance.Call(instance.Function("join"), values);
        return values[0].I32;
    }

    private static int CallCount(Instance instance)
    {
        var values = new RawValue[1];
        instance.Call(instance.Function("count"), values);
        return values[0].I32;
    }

    private static void Run(Action<Instance> test)
    {
        var assembler = new ModuleAssembler();
        var (four, none) = (assembler.Type([I32, I32, I32, I32], [I32]), assembler.Type([], [I32]));
        var (join, count) = (assembler.Import("host", "join", four), assembler.Import("host", "count", none));
        assembler.Memory(1, 1);
        assembler.Export("join", four, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0x20, 3, 0x10, (byte)join, 0x0B);
        assembler.Export("count", none, 0, 0x10, (byte)count, 0x0B);
        var module = TestModule.WithStart(assembler);
        GuestThread.Run(() =>
        {
            Calls.Clear();
            using var instance = TestModule.Instantiate(module, functions: Functions);
            instance.HostState = new WasiProcess(instance, new NoHost());
            test(instance);
        });
    }

    private sealed class NoHost : IModuleHost
    {
        public void Log(GuestLogLevel level, string line) { }

        public OperationEnd Call(string name, ReadOnlyMemory<byte> arguments, ReadOnlyMemory<byte> payload) =>
            throw new InvalidOperationException("Nothing here runs operations.");

        public void Sleep(TimeSpan time) { }
    }
}
